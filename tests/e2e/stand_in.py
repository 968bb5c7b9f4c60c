#!/usr/bin/python3
"""stand_in - postfix, dovecot and nginx as far as certificates go: quick, and the same each time

	stand_in.py CERT KEY DIRECTORY

Serves CERT and KEY with all nine endpoints, each service with what was there when it last loaded it.
DIRECTORY/ports gets the lines of mailcow.conf; DIRECTORY/control is a port that takes "load SERVICE
[CERT KEY]", answered by the exit status of a reload, and "loaded", answered by the certificates' SHA-256.
"""
import hashlib, os, socket, ssl, sys, threading

cert, key, directory = sys.argv[1:]
# Variable of mailcow.conf, service, greeting, and the answers until TLS begins.
SMTP = (b"220 mail.example.org\r\n", b"250-hello\r\n250 STARTTLS\r\n", b"220 go ahead\r\n")
ENDPOINTS = [
    ("SMTP_PORT", "postfix", SMTP),
    ("SUBMISSION_PORT", "postfix", SMTP),
    ("SMTPS_PORT", "postfix", ()),
    ("IMAP_PORT", "dovecot", (b"* OK\r\n", b"* CAPABILITY IMAP4rev1 STARTTLS\r\na OK\r\n", b"b OK\r\n")),
    ("IMAPS_PORT", "dovecot", ()),
    ("POP_PORT", "dovecot", (b"+OK\r\n", b"+OK\r\nSTLS\r\n.\r\n", b"+OK\r\n")),
    ("POPS_PORT", "dovecot", ()),
    ("SIEVE_PORT", "dovecot", (b'"STARTTLS"\r\nOK\r\n', b"OK\r\n")),
    ("HTTPS_PORT", "nginx", ()),
]
contexts = {}
loaded = {}


def load(service, cert=cert, key=key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
        with open(cert) as file:
            der = ssl.PEM_cert_to_DER_cert(file.read().split("-----END CERT")[0] + "-----END CERTIFICATE-----")
    except (OSError, ValueError):
        return "1"
    contexts[service], loaded[service] = context, hashlib.sha256(der).hexdigest()
    return "0"


def serve(connection, service, words):
    connection.settimeout(20)
    for i, line in enumerate(words):
        connection.sendall(line)
        if i + 1 < len(words):
            connection.recv(999)
    with contexts[service].wrap_socket(connection, server_side=True) as tls:
        tls.recv(1)


def control(connection):
    words = connection.recv(999).decode().split()
    answer = load(*words[1:]) if words[0] == "load" else " ".join(sorted(set(loaded.values())))
    connection.sendall(answer.encode() + b"\n")


def attend(function, connection, *arguments):
    try:
        function(connection, *arguments)
    except OSError:
        pass
    connection.close()


def listen(function, *arguments):
    server = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept():
        while True:
            connection = server.accept()[0]
            threading.Thread(target=attend, args=(function, connection, *arguments), daemon=True).start()

    threading.Thread(target=accept).start()
    return server.getsockname()[1]


for name in "postfix", "dovecot", "nginx":
    load(name)
with open(directory + "/ports", "w") as file:
    for variable, service, words in ENDPOINTS:
        print(variable, listen(serve, service, words), sep="=", file=file)
with open(directory + "/control.new", "w") as file:
    print(listen(control), file=file)
os.rename(directory + "/control.new", directory + "/control")
