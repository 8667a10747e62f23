"""A small client of the admin API."""
import base64
import json
import urllib.error
import urllib.parse
import urllib.request


class Answer:
    """Status, headers and the decoded JSON of one response."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.text = body.decode("utf-8", "replace")
        self.json = json.loads(self.text) if self.text.strip().startswith(("{", "[")) else None

    def __repr__(self):
        return f"<{self.status} {self.text[:400]}>"


class Api:
    def __init__(self, base, name=None, password=None, key=None):
        self.base = base
        self.auth = None
        if key:
            self.auth = f"Bearer {key}"
        elif name:
            self.auth = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()

    def call(self, method, path, body=None, headers=None, **query):
        """One request; HTTP errors are answers, not exceptions."""
        url = self.base + path
        if query:
            url += "?" + urllib.parse.urlencode(query)
        data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        request = urllib.request.Request(url, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if self.auth:
            request.add_header("Authorization", self.auth)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def get(self, path, **query):
        return self.expect((200,), "GET", path, **query)

    def put(self, path, body):
        return self.expect((200, 201), "PUT", path, body)

    def post(self, path, body, headers=None):
        return self.expect((200, 201), "POST", path, body, headers)

    def patch(self, path, body):
        return self.expect((200,), "PATCH", path, body)

    def delete(self, path):
        return self.expect((200, 202, 204), "DELETE", path)

    def expect(self, statuses, method, path, body=None, headers=None, **query):
        answer = self.call(method, path, body, headers, **query)
        if answer.status not in statuses:
            raise AssertionError(f"{method} {path}: {answer}")
        return answer.json
