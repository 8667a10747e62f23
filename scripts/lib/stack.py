"""A whole Tollgate on loopback: nats-server, redis-server, mariadbd with data of their own, nginx, and the five services.

scripts/up keeps one running under var/; tests/sip and scripts/bench start copies of it on free ports in a temporary folder.
"""
import getpass
import json
import os
import re
import secrets
import shutil
import socket
import subprocess

from api import Api
from procs import Process, StepFailed, free_ports, port_taken, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVERS = ("nats", "redis", "mysql", "nginx")
SERVICES = ("auth", "routing", "billing", "ingress", "admin_api")
# Names of ports. api is nginx's, which clients use; api_backend the one of admin_api behind it.
PORTS = ("sip", "api", "api_backend", "nats", "redis", "mysql", *(service + "_ops" for service in SERVICES))
# What each process listens on: names of ports, and the kind of socket.
LISTENS = {"nats": {"nats": socket.SOCK_STREAM}, "redis": {"redis": socket.SOCK_STREAM}, "mysql": {"mysql": socket.SOCK_STREAM},
           "nginx": {"api": socket.SOCK_STREAM}, **{service: {service + "_ops": socket.SOCK_STREAM} for service in SERVICES}}
LISTENS["ingress"]["sip"] = socket.SOCK_DGRAM
LISTENS["admin_api"]["api_backend"] = socket.SOCK_STREAM
BUS_USERS = ("ingress", "auth", "routing", "billing", "admin_api", "dashboard")
SQL_USERS = ("auth", "routing", "billing", "admin_api", "migrate")


def var_folder():
    """Where scripts/up keeps its Tollgate: TOLLGATE_VAR, else var/ of this repository."""
    return os.path.abspath(os.environ.get("TOLLGATE_VAR") or os.path.join(ROOT, "var"))


def refuse_taken_port(ports, name, kind):
    """StepFailed when another program holds port `name` of `ports`."""
    if port_taken(ports[name], kind):
        raise StepFailed(f"port {ports[name]} ({name}) is taken by another program; set TOLLGATE_{name.upper()}_PORT to a free one")


def service_of(instance):
    """The service of an instance: the first is named as its service, the others <service>-2, <service>-3..."""
    return instance.split("-")[0]


def instances_of(replicas):
    """The instances of every service, by `replicas` = {service: how many}, 1 when not named."""
    return tuple(service + (f"-{number}" if number > 1 else "")
                 for service in SERVICES for number in range(1, (replicas or {}).get(service, 1) + 1))


def listens(name):
    """What a process listens on: {name of the port: kind of socket}. Ports of a further instance end with its number."""
    service = service_of(name)
    return {port + name[len(service):]: kind for port, kind in LISTENS[service].items()}


def free_stack_ports(replicas=None):
    """A free port for everything that listens in a Stack, by name."""
    names = [*PORTS, *(port for name in instances_of(replicas) if name not in SERVICES for port in listens(name))]
    return dict(zip(names, free_ports(len(names))))


def program(name):
    """Path of a server program; Debian keeps some in sbin, which not every PATH has."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if not found:
        raise StepFailed(f"{name} is not installed: run scripts/setup")
    return found


class Stack:
    """`ports`: those of PORTS, and of further instances. `settings`: {service: {name: value}} on top of the defaults.
    `replicas`: {service: how many instances}; clients of the API reach the first admin_api.
    `gates`: {(instance, server): port} where an instance is to find a server through something between the two."""

    def __init__(self, base, build, ports, keep=False, settings=None, replicas=None, gates=None):
        self.base, self.build, self.ports, self.keep = base, build, ports, keep
        self.settings, self.gates = settings or {}, gates or {}
        self.instances = instances_of(replicas)
        self.processes = {}
        for name in SERVERS + self.instances:
            self.processes[name] = self._process(name)

    # What is where.

    def path(self, *parts):
        return os.path.join(self.base, *parts)

    def secret(self, name):
        """A password of our own, made at first use and kept in a file only the owner reads."""
        path = self.path("secrets", name)
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as out:
                out.write(secrets.token_hex(16))
        with open(path, encoding="ascii") as text:
            return text.read().strip()

    def admin(self):
        """The bootstrap admin: {"name", "password", "api_key"}."""
        path = self.path("secrets", "admin.json")
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            admin = {"name": "admin", "password": secrets.token_urlsafe(12), "api_key": secrets.token_hex(24)}
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as out:
                json.dump(admin, out)
        with open(path, encoding="ascii") as text:
            return json.load(text)

    def api(self):
        admin = self.admin()
        return Api(f"http://127.0.0.1:{self.ports['api']}", admin["name"], admin["password"])

    def ops(self, instance):
        return Api(f"http://127.0.0.1:{self.port_of(instance, 'ops')}")

    def port_of(self, instance, name):
        """The port of an instance: its `ops`, or the one that is called `name` for the first of its service."""
        service = service_of(instance)
        return self.ports[(f"{service}_ops" if name == "ops" else name) + instance[len(service):]]

    def spool(self, instance):
        """The folder of an ingress's records."""
        return self.path("data", instance.replace("ingress", "spool"))

    def server_port(self, instance, server):
        """Where an instance finds a server."""
        return self.gates.get((instance, server), self.ports[server])

    def _process(self, name):
        argv = {
            "nats": [program("nats-server"), "-c", self.path("etc", "nats.conf")],
            "redis": [program("redis-server"), self.path("etc", "redis.conf")],
            "mysql": [program("mariadbd"), f"--defaults-file={self.path('etc', 'my.cnf')}", f"--user={getpass.getuser()}"],
            "nginx": [program("nginx"), "-p", self.base, "-c", self.path("etc", "nginx.conf"), "-g", self._nginx_directives()],
        }.get(name) or [os.path.join(self.build, "bin", "tollgate-" + service_of(name).replace("_", "-")),
                        "--config", self.path("etc", name + ".conf")]
        # TOLLGATE_API_PORT is nginx's port here, but would also be the setting api_port of admin_api: the files say what a service uses.
        ports = {f"TOLLGATE_{port.upper()}_PORT" for port in PORTS}
        return Process(name, argv, self.path("log", name + ".log"), env={key: os.environ[key] for key in os.environ.keys() - ports},
                       pid_file=self.path("run", name + ".pid") if self.keep else None)

    def _nginx_directives(self):
        """One process for copies that die with their starter, since workers would outlive a killed master; as root, workers keep the
        user, who alone may enter our folders."""
        return "daemon off;" + ("" if self.keep else " master_process off;") + (" user root;" if os.geteuid() == 0 else "")

    # Configuration files.

    def write_configuration(self):
        values = {"DATA_DIR": self.base, "NATS_PORT": self.ports["nats"], "REDIS_PORT": self.ports["redis"],
                  "MYSQL_PORT": self.ports["mysql"], "RUN_DIR": self.path("run"), "LOG_DIR": self.path("log"),
                  "NATS_STORE_DIR": self.path("data", "nats"), "REDIS_DATA_DIR": self.path("data", "redis"),
                  "REDIS_ACL_FILE": self.path("etc", "redis.acl"), "MYSQL_DATA_DIR": self.path("data", "mysql"),
                  "MYSQL_SOCKET": self.path("run", "mysql.sock"), "NGINX_DIR": self.path("data", "nginx"),
                  "API_LISTEN": f"127.0.0.1:{self.ports['api']}", "API_BACKEND_PORT": self.ports["api_backend"],
                  "API_PROXY_SECRET": self.secret("api_proxy"),
                  "MYSQL_DATABASE": "tollgate",
                  "REDIS_BILLING_PASSWORD": self.secret("redis_billing"), "REDIS_ADMIN_PASSWORD": self.secret("redis_admin")}
        for user in BUS_USERS:
            values[f"NATS_{user.upper()}_PASSWORD"] = self.secret(f"nats_{user}")
        for user in SQL_USERS:
            values[f"MYSQL_{user.upper()}_PASSWORD"] = self.secret(f"mysql_{user}")
        for folder in ("etc", "run", "log", "data/nats", "data/redis", "data/nginx"):
            os.makedirs(self.path(folder), exist_ok=True)
        for template, target in (("nats/nats.conf", "nats.conf"), ("redis/redis.conf", "redis.conf"),
                                 ("redis/users.acl", "redis.acl"), ("mysql/my.cnf", "my.cnf"), ("mysql/users.sql", "users.sql"),
                                 ("nginx/nginx.conf", "nginx.conf")):
            self._render(os.path.join(ROOT, "deploy", template + ".template"), self.path("etc", target), values)
        for instance in self.instances:
            self._write_service_file(instance)

    def _render(self, template, target, values):
        with open(template, encoding="utf-8") as text:
            content = re.sub(r"@([A-Z][A-Z0-9_]*)@", lambda name: str(values[name.group(1)]), text.read())
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            out.write(content)

    def _write_service_file(self, instance):
        service = service_of(instance)
        values = {"nats_url": f"nats://127.0.0.1:{self.server_port(instance, 'nats')}", "nats_user": service,
                  "nats_password_file": self.path("secrets", f"nats_{service}"), "ops_port": self.port_of(instance, "ops")}
        if service != "ingress":
            values.update({"mysql_port": self.server_port(instance, "mysql"), "mysql_user": service, "mysql_database": "tollgate",
                           "mysql_password_file": self.path("secrets", f"mysql_{service}")})
            self.secret(f"mysql_{service}")
        if service == "billing":
            values.update({"redis_port": self.server_port(instance, "redis"), "redis_user": "billing",
                           "redis_password_file": self.path("secrets", "redis_billing")})
        if service == "ingress":
            os.makedirs(self.spool(instance), exist_ok=True)
            values.update({"listen": f"udp:127.0.0.1:{self.port_of(instance, 'sip')}", "spool_dir": self.spool(instance)})
        if service == "admin_api":
            self.admin()
            self.secret("api_proxy")
            values.update({"api_port": self.port_of(instance, "api_backend"), "bootstrap_admin_file": self.path("secrets", "admin.json"),
                           "api_proxy_secret_file": self.path("secrets", "api_proxy")})
        values.update(self.settings.get(service, {}))
        with open(self.path("etc", instance + ".conf"), "w", encoding="utf-8") as out:
            out.writelines(f"{name} = {value}\n" for name, value in values.items())

    # Starting and stopping.

    def refuse_taken_ports(self, names=None):
        """StepFailed when another program holds a port of those that do not run yet."""
        for name in names or self.processes:
            if self.processes[name].adopt():
                continue
            for port, kind in listens(name).items():
                refuse_taken_port(self.ports, port, kind)

    def start_servers(self):
        self.refuse_taken_ports(SERVERS)
        for name in SERVERS:
            if self.processes[name].adopt():
                continue
            if name == "mysql" and not os.path.exists(self.path("data", "mysql", "mysql")):
                self._install_mysql()
            self.processes[name].start()
        for name, ready in (("nats", self._nats_ready), ("redis", self._redis_ready), ("mysql", self._mysql_ready),
                            ("nginx", lambda: port_taken(self.ports["api"]))):
            self._wait(name, ready, 60)
        self._prepare_mysql()

    def start_services(self, names=None):
        names = names or self.instances
        for name in names:
            process = self.processes[name]
            if not process.adopt():
                process.start()
        for name in names:
            self._wait(name, lambda service=name: self.service_ready(service), 60)

    def service_ready(self, service):
        try:
            return self.ops(service).call("GET", "/readyz").status == 200
        except OSError:
            return False

    def _wait(self, name, ready, seconds):
        process = self.processes[name]

        def alive_and_ready():
            if not process.alive():
                raise StepFailed(f"{name} ended while starting; its log {process.log} ends with:\n{process.tail()}")
            return ready()

        try:
            wait_for(alive_and_ready, seconds, f"{name} ready")
        except StepFailed as failure:
            raise StepFailed(f"{failure}\nits log is {process.log}") from failure

    def stop(self, drain_seconds=15):
        """Stops everything; {instance: exit code}."""
        codes = {name: self.processes[name].stop(drain_seconds) for name in reversed(self.instances)}
        for name in reversed(SERVERS):
            self.processes[name].stop(20)
        return codes

    def stop_started(self):
        """Stops what this object started, and leaves alone what ran before."""
        for name in (*reversed(self.instances), *reversed(SERVERS)):
            if self.processes[name].child is not None:
                self.processes[name].stop()

    # The stores, as the operator of this copy.

    def sql(self, statement, database="tollgate"):
        """Rows as lists of text, by the mariadb client over the server's socket."""
        done = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.path('run', 'mysql.sock')}", f"--user={getpass.getuser()}", "-N", "-B",
             "--raw", database, "-e", statement], capture_output=True, text=True, check=False)
        if done.returncode:
            raise StepFailed(f"mariadb: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def redis(self, *words):
        done = subprocess.run(
            ["redis-cli", "-p", str(self.ports["redis"]), "--user", "admin", "--pass", self.secret("redis_admin"),
             "--no-auth-warning", *[str(word) for word in words]], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def _nats_ready(self):
        return port_taken(self.ports["nats"])

    def _redis_ready(self):
        try:
            return self.redis("ping") == "PONG"
        except subprocess.CalledProcessError:
            return False

    def _mysql_ready(self):
        try:
            return bool(self.sql("select 1", "mysql"))
        except StepFailed:
            return False

    def _install_mysql(self):
        done = subprocess.run(
            [program("mariadb-install-db"), "--no-defaults", f"--user={getpass.getuser()}", f"--datadir={self.path('data', 'mysql')}",
             "--skip-test-db", "--auth-root-authentication-method=socket", f"--auth-root-socket-user={getpass.getuser()}"],
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise StepFailed(f"mariadb-install-db failed:\n{done.stdout[-800:]}{done.stderr[-800:]}")

    def _prepare_mysql(self):
        self.sql("CREATE DATABASE IF NOT EXISTS tollgate CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", "mysql")
        with open(self.path("etc", "users.sql"), encoding="utf-8") as script:
            statements = script.read()
        self._migrate_with_root()
        self.sql(statements, "mysql")

    def _migrate_with_root(self):
        done = subprocess.run(
            [os.path.join(ROOT, "scripts", "migrate"), "--socket", self.path("run", "mysql.sock"), "--user", getpass.getuser(),
             "--database", "tollgate"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise StepFailed(f"migration failed:\n{done.stdout}{done.stderr}")

