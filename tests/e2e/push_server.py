#!/usr/bin/env python3
"""push_server - servers that do not behave, for the tests of certpush

    push_server.py PORT-FILE MODE [ARGUMENT...]

Listens on a free port, of 127.0.0.1 if nothing else is said, and writes its number to PORT-FILE.

    silent               accepts, and never says anything
    say TEXT             says TEXT (with escapes such as \\r\\n), and then nothing
    close [TEXT]         says TEXT and closes the connection
    flood                says the same line for ever
    freeze STAGE PORT    hands everything on to the server on PORT until STAGE has passed, then nothing
    cut STAGE PORT       the same, but then closes the connection
    spoil HOW PORT FILE  hands everything on to the server on PORT but byte N of what that says, N being in FILE
                         for each connection anew: HOW is flip (one bit of it), cut (the connection ends before
                         it) or freeze (nothing comes from there on); FILE.done is written when that has happened
    relay PORT ADDRESS   hands everything on to the server on PORT; listens on ADDRESS
    full ADDRESS PORT    listens on ADDRESS, PORT and has no room for further connections
    dns ADDRESS          a name server on ADDRESS, UDP port 53, that does not answer
    journal SOCKET FILE  takes the records of journald's native protocol, and appends them to FILE

STAGE, of what the server says: banner, kexinit, newkeys.
"""
import selectors
import socket
import sys
import threading

MSG_KEXINIT = 20  # RFC 4253
MSG_NEWKEYS = 21


def announce(path, port):
    with open(path, "w", encoding="ascii") as file:
        file.write(f"{port}\n")


def serve(path, handle, address="127.0.0.1"):
    listener = socket.create_server((address, 0))
    announce(path, listener.getsockname()[1])
    kept = []
    while True:
        connection = listener.accept()[0]
        kept.append(connection)
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


def say(connection, text):
    connection.sendall(text.encode("ascii").decode("unicode_escape").encode("latin-1"))


def close(connection, text):
    say(connection, text)
    # Reading to the end first: what is closed with bytes unread is reset, and TEXT may be lost.
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass
    connection.close()


def flood(connection):
    try:
        while True:
            connection.sendall(b"patience\r\n" * 100)
    except OSError:
        pass


def length_until(stage, said):
    """How many bytes of what the server said belong to the stages up to this one; None: not there yet."""
    at = said.find(b"\n") + 1
    if not at:
        return None
    if stage == "banner":
        return at
    wanted = {"kexinit": MSG_KEXINIT, "newkeys": MSG_NEWKEYS}[stage]
    while len(said) > at + 5:
        end = at + 4 + int.from_bytes(said[at : at + 4], "big")
        if len(said) < end:
            return None
        if said[at + 5] == wanted:
            return end
        at = end
    return None


def said_by_server(client, port):
    """What a real server says to the client, whose words it is handed, until one of them ends."""
    server = socket.create_connection(("127.0.0.1", port))
    chosen = selectors.DefaultSelector()
    chosen.register(client, selectors.EVENT_READ)
    chosen.register(server, selectors.EVENT_READ)
    while True:
        for key, _ in chosen.select():
            data = key.fileobj.recv(65536)
            if not data:
                return
            if key.fileobj is client:
                server.sendall(data)
            else:
                yield data


# The one way of ending it, or the other: it goes on taking what the client says, and it is the answer that is missing.
def end_here(client, closing):
    if closing:
        client.shutdown(socket.SHUT_RDWR)
        client.close()
        return
    while client.recv(65536):
        pass


def relay(client, port, stage=None, then_close=False):
    said = b""
    for data in said_by_server(client, port):
        before = len(said)
        said += data
        end = length_until(stage, said) if stage else None
        if end is None:
            client.sendall(data)
            continue
        client.sendall(said[before:end])
        end_here(client, then_close)
        return


def spoil(client, how, port, file):
    with open(file, encoding="ascii") as wish:
        at = int(wish.read())
    before = 0
    for data in said_by_server(client, port):
        here = at - before
        before += len(data)
        if not 0 <= here < len(data):
            client.sendall(data)
            continue
        announce(file + ".done", at)
        if how == "flip":
            client.sendall(data[:here] + bytes([data[here] ^ 1]) + data[here + 1 :])
            continue
        client.sendall(data[:here])
        end_here(client, how == "cut")
        return


def full(path, address, port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(0)
    waiting = []
    while True:
        one = socket.socket()
        one.settimeout(0.3)
        waiting.append(one)
        try:
            one.connect((address, port))
        except TimeoutError:
            break
    announce(path, port)
    threading.Event().wait()


def dns(path, address):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    announce(path, 53)
    while True:
        server.recv(4096)


def journal(path, name, records):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(name)
    announce(path, 1)
    while True:
        record = server.recv(65536)
        with open(records, "ab") as file:
            file.write(record + b"\n")


def main():
    path, mode, *arguments = sys.argv[1:]
    if mode == "silent":
        serve(path, lambda connection: None)
    elif mode == "say":
        serve(path, lambda connection: say(connection, arguments[0]))
    elif mode == "close":
        serve(path, lambda connection: close(connection, arguments[0] if arguments else ""))
    elif mode == "flood":
        serve(path, flood)
    elif mode in ("freeze", "cut"):
        serve(path, lambda connection: relay(connection, int(arguments[1]), arguments[0], mode == "cut"))
    elif mode == "spoil":
        serve(path, lambda connection: spoil(connection, arguments[0], int(arguments[1]), arguments[2]))
    elif mode == "relay":
        serve(path, lambda connection: relay(connection, int(arguments[0])), arguments[1])
    elif mode == "full":
        full(path, arguments[0], int(arguments[1]))
    elif mode == "dns":
        dns(path, arguments[0])
    elif mode == "journal":
        journal(path, arguments[0], arguments[1])
    else:
        sys.exit(__doc__)


main()
