#!/usr/bin/env python3
"""odd_sftp - an SFTP server that answers some requests in its own way, for the tests of certpush

    odd_sftp DIRECTORY COMMAND...

Hands everything on to COMMAND, a real SFTP server, but the request that DIRECTORY/wish names: REQUEST NUMBER
ANSWER, the NUMBERth such request being meant, or each if that is 0. DIRECTORY/done is written when it came.

REQUEST: init, open, close, write, remove, mkdir, rmdir, rename, fsync. ANSWER:

    status CODE     SSH_FXP_STATUS with this code, and nothing is done
    late CODE       the same, but it is done
    handle          a handle, though none was asked for
    stranger        the status that all is well, of another request
    rubbish         bytes that are not SFTP
    huge            the beginning of a packet of 2 GiB
    short           a packet without anything in it
    cut             a status without its code
    close           the server ends
    stall           no answer ever
    after REQUEST NUMBER    the real answer, but not before the NUMBERth such request has come
    twice           the real answer, and again
    drip            the real answer, byte by byte
    bare            the real answer, a status, without its message
    backwards N     the real answers to this request and those after it, N altogether, at once and the last one first
    padded LENGTH   the real answer, but the handle in it is that long
    greet VERSION   the real answer, but of that version
    noise BYTES     the real answer, after as many bytes to stderr
"""
import os
import subprocess
import sys
import threading

# draft-ietf-secsh-filexfer-02
TYPES = {1: "init", 3: "open", 4: "close", 6: "write", 13: "remove", 14: "mkdir", 15: "rmdir", 18: "rename", 200: "fsync"}
STATUS = 101
HANDLE = 102
# With these the request is done, and its real answer comes in some form.
FORMS = ("after", "twice", "drip", "bare", "backwards", "padded", "greet", "noise")


def number(value):
    return value.to_bytes(4, "big")


def string(value):
    return number(len(value)) + value


def packet(body):
    return number(len(body)) + body


def status(request, code):
    return packet(bytes([STATUS]) + request + number(code) + string(b"so be it") + string(b""))


def read_packet(stream):
    head = stream.read(4)
    if len(head) < 4:
        return None
    return stream.read(int.from_bytes(head, "big"))


def write(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def answer(how, request):
    kind, *code = how
    if kind in ("status", "late"):
        write(status(request, int(code[0])))
    elif kind == "handle":
        write(packet(bytes([HANDLE]) + request + string(b"0000")))
    elif kind == "stranger":
        write(status(number(0xABCD), 0))
    elif kind == "rubbish":
        write(b"This is not SFTP at all, it is a sentence.\n")
    elif kind == "huge":
        write(number(0x7FFFFFFF) + bytes([STATUS]) + request)
    elif kind == "short":
        write(number(0))
    elif kind == "cut":
        write(packet(bytes([STATUS]) + request))
    elif kind == "close":
        os._exit(0)
    else:
        threading.Event().wait()


class Forms:
    """Real answers, in the form that is wished for those to ${requests}."""

    def __init__(self, how):
        self.how = how
        self.requests = set()
        self.release = threading.Event()
        self.kept = []
        self.handles = {}  # what the client knows, and what the server does

    def pad(self, body):
        real = body[5:]
        padded = string(real[4:].ljust(int(self.how[1]), b"-"))
        self.handles[padded] = real
        return body[:5] + padded

    def unpad(self, body):
        for padded, real in self.handles.items():
            body = body.replace(padded, real)
        return body

    def give(self, body):
        kind = self.how[0]
        self.requests.discard(body[1:5])
        if kind == "after":
            self.release.wait()
        elif kind == "noise":
            sys.stderr.write("x" * int(self.how[1]))
            sys.stderr.flush()
        elif kind == "greet":
            body = body[:1] + number(int(self.how[1])) + body[5:]
        elif kind == "bare":
            body = body[:9]
        elif kind == "padded":
            body = self.pad(body)
        if kind == "backwards":
            self.kept.insert(0, packet(body))
            if len(self.kept) == int(self.how[1]):
                write(b"".join(self.kept))
        elif kind == "drip":
            for byte in packet(body):
                write(bytes([byte]))
        else:
            write(packet(body) * (2 if kind == "twice" else 1))


def hand_on_answers(server, unwanted, forms):
    while (body := read_packet(server.stdout)) is not None:
        if body[1:5] in unwanted:
            unwanted.remove(body[1:5])
        elif body[1:5] in forms.requests or (forms.kept and len(forms.kept) < int(forms.how[1])):
            forms.give(body)
        else:
            write(packet(body))


def main():
    directory, *command = sys.argv[1:]
    with open(directory + "/wish", encoding="ascii") as file:
        name, which, *how = file.read().split()
    seen = awaited = 0
    unwanted = set()
    forms = Forms(how)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        threading.Thread(target=hand_on_answers, args=(server, unwanted, forms), daemon=True).start()
        while (body := read_packet(sys.stdin.buffer)) is not None:
            request = body[1:5]
            mine = TYPES.get(body[0]) == name
            seen += mine
            mine = mine and int(which) in (0, seen)
            if mine:
                with open(directory + "/done", "w", encoding="ascii") as file:
                    file.write(name)
            if mine and how[0] == "late":
                unwanted.add(request)
            if mine and how[0] in FORMS:
                forms.requests.add(request)
            if how[0] == "after" and TYPES.get(body[0]) == how[1]:
                awaited += 1
                if awaited == int(how[2]):
                    forms.release.set()
            if not mine or how[0] == "late" or how[0] in FORMS:
                server.stdin.write(packet(forms.unpad(body)))
                server.stdin.flush()
            if mine and how[0] not in FORMS:
                answer(how, request)
        server.stdin.close()


main()
