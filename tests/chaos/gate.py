"""Stands between each service and each server it uses, and disturbs connections on command. A process of its own, on loopback only.

Started with the links as arguments: NAME=LISTEN_PORT:TARGET_PORT. Reads one command a line, answers each with one line:
  open NAME            forwards everything; connections that were stalled go on
  drop NAME            closes the connections of the link; new ones are possible
  cut NAME             the same, and closes every new connection immediately
  delay NAME MS        every piece of data arrives this much later
  stall NAME WAY       forwards nothing to the server (up), to the service (down), or at all (both); connections stay open: half-open
Ends when its input ends.
"""
import asyncio
import sys

PIECE = 65_536
PIECES_WAITING_MAX = 64


class Link:
    def __init__(self, name, port, target):
        self.name, self.port, self.target = name, port, target
        self.is_cut = False
        self.delay = 0.0
        self.flows = {"up": asyncio.Event(), "down": asyncio.Event()}
        self.writers = set()
        self.heal()

    def heal(self):
        self.is_cut, self.delay = False, 0.0
        for flow in self.flows.values():
            flow.set()

    def drop(self):
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self):
        await asyncio.start_server(self.accept, "127.0.0.1", self.port)

    async def accept(self, reader, writer):
        if self.is_cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self.writers |= ends
        try:
            await asyncio.gather(self.pump(reader, far_writer, "up"), self.pump(far_reader, writer, "down"))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers -= ends
            for end in ends:
                end.transport.abort()

    async def pump(self, reader, writer, way):
        """Data of one direction: read, kept for the delay, written in order."""
        waiting = asyncio.Queue(PIECES_WAITING_MAX)
        loop = asyncio.get_running_loop()

        async def deliver():
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self.flows[way].wait()
                if not data:
                    raise ConnectionResetError
                writer.write(data)
                await writer.drain()

        async def read():
            while True:
                data = await reader.read(PIECE)
                await waiting.put((loop.time() + self.delay, data))
                if not data:
                    return

        await asyncio.gather(deliver(), read())


def obey(links, words):
    verb, link = words[0], links[words[1]]
    if verb == "open":
        link.heal()
    elif verb in ("drop", "cut"):
        link.is_cut = verb == "cut"
        link.drop()
    elif verb == "delay":
        link.delay = int(words[2]) / 1000
    elif verb == "stall":
        for way in ("up", "down") if words[2] == "both" else (words[2],):
            link.flows[way].clear()
    else:
        raise ValueError(verb)


async def main():
    links = {}
    for word in sys.argv[1:]:
        name, ports = word.split("=")
        port, target = ports.split(":")
        links[name] = Link(name, int(port), int(target))
        await links[name].serve()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("ready", flush=True)
    while line := await commands.readline():
        try:
            obey(links, line.decode().split())
            print("ok", flush=True)
        except (KeyError, IndexError, ValueError) as error:
            print(f"refused {error!r}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
