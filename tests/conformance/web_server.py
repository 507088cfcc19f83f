"""Python's own web server over a folder: PORT FOLDER [TOKEN]. Run as a program by tests/servers.py."""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Handler(SimpleHTTPRequestHandler):
    token = ""

    def send_head(self):
        if self.token and self.headers.get("Authorization") != f"Bearer {self.token}":
            self.send_error(401)
            return None
        return super().send_head()

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    Handler.token = sys.argv[3] if len(sys.argv) > 3 else ""
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), partial(Handler, directory=sys.argv[2])).serve_forever()
