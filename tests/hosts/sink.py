#!/usr/bin/env python3
"""sink.py PORT DIR - an HTTP server that keeps what it is sent, for the tests of what is told

Each request becomes a line of JSON in DIR/requests. It is answered with the status in DIR/answer, or 200; while
there is DIR/hold, not at all; while there is DIR/much, with more than a small process could keep.
"""
import http.server
import json
import os
import sys
import time

PORT, DIR = int(sys.argv[1]), sys.argv[2]


class Sink(http.server.BaseHTTPRequestHandler):
	def do_POST(self):
		body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
		record = {
			"method": self.command,
			"path": self.path,
			"headers": {name.lower(): value for name, value in self.headers.items()},
			"body": body,
		}
		with open(f"{DIR}/requests", "a", encoding="utf-8") as requests:
			requests.write(json.dumps(record) + "\n")
		while os.path.exists(f"{DIR}/hold"):
			time.sleep(0.02)
		status = 200
		if os.path.exists(f"{DIR}/answer"):
			with open(f"{DIR}/answer", encoding="utf-8") as answer:
				status = int(answer.read())
		self.send_response(status)
		self.end_headers()
		if os.path.exists(f"{DIR}/much"):
			for _ in range(4096):
				self.wfile.write(b"x" * 65536)
		self.wfile.write(b'{"error":"so it is"}\n')

	do_GET = do_POST

	def log_message(self, *_):
		pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Sink).serve_forever()
