#!/usr/bin/env python3
"""stolen_key - everything that somebody may try with the push key, and what comes of it

    stolen_key.py HOST KEY VICTIM               the matrix
    stolen_key.py HOST KEY connections N WAVE   log in N times, and let all go after each WAVE of them
    stolen_key.py HOST KEY fill MIB             upload MIB mebibytes in files of one

VICTIM is a generation in the staging directory that somebody else has pushed. Prints one line an attempt, and
fails if one was granted. With STOLEN_KEY_CONTROL=1 in the environment it is the other way round: the key is an
unrestricted one, and must be granted all that is marked with a "*", which is what the key's line refuses. So
none of these attempts is one that could not succeed anyway. STOLEN_KEY_UID is the user's number. The server has the
subsystems "shell", /bin/sh, and "control", an SFTP server that starts in the staging directory.

The SSH requests go through libssh2, the SFTP requests are made here: what the usual clients do not send is tried
as well.
"""
import ctypes
import os
import socket
import struct
import subprocess
import sys

USER = "certsync"
TIMEOUT_MS = 30000
PACKET_MAX = 256 * 1024
LIBSSH2_ERROR_TIMEOUT = -9
STAGING = "/home/certsync/incoming"

# draft-ietf-secsh-filexfer-02
OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR = range(3, 13)
REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK, SYMLINK = range(13, 21)
STATUS, HANDLE = 101, 102
EXTENDED = 200
FXF_READ, FXF_WRITE, FXF_CREAT, FXF_TRUNC, FXF_EXCL = 1, 2, 8, 16, 32
ATTR_SIZE, ATTR_OWNER, ATTR_MODE, ATTR_TIMES = 1, 2, 4, 8
WORDS = {0: "granted", 1: "end of file", 2: "no such file", 3: "permission denied", 4: "failure",
         5: "bad message", 8: "not supported"}

libssh2 = ctypes.CDLL("libssh2.so.1")
for function in ("session_init_ex", "channel_open_ex", "channel_forward_listen_ex"):
    getattr(libssh2, f"libssh2_{function}").restype = ctypes.c_void_p
libssh2.libssh2_channel_read_ex.restype = ctypes.c_ssize_t
libssh2.libssh2_channel_write_ex.restype = ctypes.c_ssize_t


def u32(number):
    return struct.pack(">I", number)


def string(text):
    text = text.encode() if isinstance(text, str) else text
    return u32(len(text)) + text


class Hung(Exception):
    """The server neither grants nor refuses."""


class Gone(Exception):
    """The server has ended the connection, or the channel."""


class Ssh:
    """A connection; logged in with the key unless another user or no key is wanted."""

    def __init__(self, host, key, user=USER):
        self.socket = socket.create_connection((host, 22), TIMEOUT_MS / 1000)
        self.session = ctypes.c_void_p(libssh2.libssh2_session_init_ex(None, None, None, None))
        libssh2.libssh2_session_set_timeout(self.session, ctypes.c_long(TIMEOUT_MS))
        if libssh2.libssh2_session_handshake(self.session, self.socket.fileno()):
            raise Gone
        self.logged_in = not libssh2.libssh2_userauth_publickey_fromfile_ex(
            self.session, user.encode(), len(user), None, key.encode(), None)

    def close(self):
        self.socket.close()

    def channel(self, kind="session", message=b""):
        """A channel, or None where it is refused."""
        channel = libssh2.libssh2_channel_open_ex(self.session, kind.encode(), len(kind), 1 << 21, 1 << 15,
                                                  message, len(message))
        if not channel and libssh2.libssh2_session_last_errno(self.session) == LIBSSH2_ERROR_TIMEOUT:
            raise Hung
        return Channel(self, channel) if channel else None


class Channel:
    def __init__(self, ssh, channel):
        self.ssh = ssh
        self.channel = ctypes.c_void_p(channel)

    def request(self, name, message=None):
        return granted(libssh2.libssh2_channel_process_startup(
            self.channel, name.encode(), len(name), message, len(message or b"")))

    def pty(self):
        return granted(libssh2.libssh2_channel_request_pty_ex(self.channel, b"xterm", 5, None, 0, 80, 24, 0, 0))

    def x11(self):
        return granted(libssh2.libssh2_channel_x11_req_ex(self.channel, 0, None, None, 0))

    def setenv(self, name, value):
        return granted(libssh2.libssh2_channel_setenv_ex(self.channel, name, len(name), value, len(value)))

    def write(self, data):
        while data:
            wrote = libssh2.libssh2_channel_write_ex(self.channel, 0, data, len(data))
            if wrote <= 0:
                raise Gone
            data = data[wrote:]

    def read(self, length):
        data = b""
        while len(data) < length:
            buffer = ctypes.create_string_buffer(length - len(data))
            got = libssh2.libssh2_channel_read_ex(self.channel, 0, buffer, len(buffer))
            if got == LIBSSH2_ERROR_TIMEOUT:
                raise Hung
            if got <= 0:
                raise Gone
            data += buffer.raw[:got]
        return data

    def rest(self):
        """What comes until its end."""
        data = b""
        try:
            while True:
                data += self.read(1)
        except Gone:
            return data

    def merge(self):
        """Have what goes to stderr come the same way."""
        libssh2.libssh2_channel_handle_extended_data2(self.channel, 1)

    def close(self):
        libssh2.libssh2_channel_free(self.channel)


def granted(error):
    if error == LIBSSH2_ERROR_TIMEOUT:
        raise Hung
    return error == 0


class Sftp:
    """The SFTP server that answers when ${start} is asked for; without an answer of it: Gone."""

    def __init__(self, ssh, start=("subsystem", b"sftp")):
        self.channel = ssh.channel()
        if not self.channel or not self.channel.request(*start):
            raise Gone
        self.number = 0
        self.channel.write(u32(5) + b"\1" + u32(3))
        if self.reply()[0] != 2:
            raise Gone

    def reply(self):
        length = struct.unpack(">I", self.channel.read(4))[0]
        if length > PACKET_MAX:
            raise Gone
        return self.channel.read(length)

    def ask(self, kind, body):
        """The type of the answer, and its status code or handle."""
        self.number += 1
        packet = bytes([kind]) + u32(self.number) + body
        self.channel.write(u32(len(packet)) + packet)
        answer = self.reply()
        kind, length = answer[0], struct.unpack(">I", answer[5:9])[0]
        return kind, length if kind == STATUS else answer[9:9 + length]

    def open(self, path, flags, attributes=u32(0)):
        """A handle, or None."""
        kind, handle = self.ask(OPEN, string(path) + u32(flags) + attributes)
        return handle if kind == HANDLE else None

    def put(self, path, content):
        handle = self.open(path, FXF_WRITE | FXF_CREAT)
        if handle is None:
            return False
        wrote = self.ask(WRITE, string(handle) + struct.pack(">Q", 0) + string(content)) == (STATUS, 0)
        return self.ask(CLOSE, string(handle)) == (STATUS, 0) and wrote

    def close(self):
        self.channel.close()


# --- the matrix -------------------------------------------------------------------------------------------

class Matrix:
    def __init__(self, host, key, victim):
        self.host, self.key, self.victim = host, key, victim
        self.control = os.environ.get("STOLEN_KEY_CONTROL") == "1"
        self.count = self.wrong = 0
        self.ssh = Ssh(host, key)
        if not self.ssh.logged_in:
            sys.exit("stolen_key: the key itself is not accepted")

    def result(self, attempt, success, words, anyway):
        """One line of the table."""
        self.count += 1
        if self.control:
            self.wrong += not success and not anyway
        else:
            self.wrong += success
        print(f"{'GRANTED' if success else 'refused'} {' ' if anyway else '*'} {attempt:58} {words}")

    def attempt(self, attempt, function, anyway=False):
        """${function} returns whether it was granted, or that and what came of it; ${anyway}: something else
        than the key's line may refuse it as well."""
        try:
            success = function()
        except Hung:
            success = True, "no answer"
        except Gone:
            success = False, "connection closed"
            self.ssh.close()
            self.ssh = Ssh(self.host, self.key)
        if not isinstance(success, tuple):
            success = success, "granted" if success else "request refused"
        self.result(attempt, *success, anyway)


def on_session(matrix, action):
    def attempt():
        channel = matrix.ssh.channel()
        success = action(channel)
        channel.close()
        return success
    return attempt


def program(matrix, start):
    """Granted if anything answers to a command but sshd, which says that there is SFTP only, or the SFTP server,
    which ends at once, as that is not its protocol."""
    def attempt():
        channel = matrix.ssh.channel()
        channel.merge()
        if not channel.request(*start):
            return False
        channel.write(b"echo granted; exit\n")
        said = channel.rest()
        channel.close()
        word = said.decode(errors="replace").splitlines()[:1]
        sftp_only = said.startswith(b"This service allows sftp connections only")
        return bool(said) and not sftp_only, word[0].strip() if word else "SFTP server instead"
    return attempt


def login(matrix, user):
    def attempt():
        ssh = Ssh(matrix.host, matrix.key, user)
        ssh.close()
        return ssh.logged_in
    return attempt


def client(matrix, *options):
    """OpenSSH's own client: granted if it is let do what ${options} say."""
    def attempt():
        command = ["ssh", "-F", "none", "-T", "-i", matrix.key, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
                   "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                   "-o", "GlobalKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ExitOnForwardFailure=yes",
                   *options]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_MS / 1000,
                              check=False)
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return done.returncode == 0, said[-1].removeprefix("Error: ") if said else f"status {done.returncode}"
    return attempt


def ssh_attempts(matrix):
    try_ = matrix.attempt
    server = f"{USER}@{matrix.host}"

    def tcp(host, port):
        return lambda: bool(matrix.ssh.channel("direct-tcpip", string(host) + u32(port) + string("127.0.0.1") + u32(1)))

    def stream(path):
        return lambda: bool(matrix.ssh.channel("direct-streamlocal@openssh.com", string(path) + string("") + u32(0)))

    def listen(address, port):
        return lambda: bool(libssh2.libssh2_channel_forward_listen_ex(
            matrix.ssh.session, address, port, None, 1))

    try_("a shell", program(matrix, ("shell",)))
    try_("exec: id", program(matrix, ("exec", b"id")))
    try_("exec: scp -t .", program(matrix, ("exec", b"scp -t .")))
    try_("exec: rsync --server", program(matrix, ("exec", b"rsync --server -logDtpre.iLsfxCIvu . .")), True)
    try_("a subsystem that the server has, which is a shell", program(matrix, ("subsystem", b"shell")))
    try_("a subsystem that it has not", on_session(matrix, lambda c: c.request("subsystem", b"netconf")), True)
    try_("a terminal (pty)", on_session(matrix, Channel.pty))
    # an xauth has to be installed there
    try_("X11 forwarding", on_session(matrix, Channel.x11), True)
    # its socket would be in /tmp
    try_("agent forwarding", on_session(matrix, lambda c: c.request("auth-agent-req@openssh.com")), True)
    for name in (b"LD_PRELOAD", b"PATH", b"BASH_ENV", b"HOME"):
        try_(f"environment: {name.decode()}", on_session(matrix, lambda c, n=name: c.setenv(n, b"/tmp/x")), True)
    try_("local forwarding to the host itself", tcp("127.0.0.1", 22))
    try_("local forwarding to another host (what -D asks, too)", tcp("192.0.2.10", 22))
    try_("local forwarding over IPv6", tcp("::1", 22))
    try_("forwarding to a unix socket: the system bus", stream("/run/dbus/system_bus_socket"))
    try_("forwarding to a unix socket: the Docker engine", stream("/run/docker.sock"), True)
    try_("remote forwarding to loopback", listen(b"127.0.0.1", 2200))
    try_("remote forwarding to all addresses, a free port", listen(b"", 0))
    try_("remote forwarding of a unix socket", client(matrix, "-o", "RemoteCommand=none", "-R",
                                                    f"{STAGING}/.socket-{os.getpid()}:127.0.0.1:22", server, "exit 0"))
    try_("stdio forwarding (-W)", client(matrix, "-W", "127.0.0.1:22", server))
    try_("tunnel: a point-to-point tun device", lambda: bool(
        matrix.ssh.channel("tun@openssh.com", u32(1) + u32(0x7fffffff))), True)
    try_("tunnel: an ethernet tap device", lambda: bool(
        matrix.ssh.channel("tun@openssh.com", u32(2) + u32(0x7fffffff))), True)
    for kind in ("x11", "forwarded-tcpip", "auth-agent@openssh.com"):
        try_(f"a channel that only servers open: {kind}", lambda k=kind: bool(matrix.ssh.channel(k)), True)
    try_("to log in as root with it", login(matrix, "root"), True)
    try_("to log in as the user nobody with it", login(matrix, "nobody"), True)


def asker(matrix, sftp):
    def ask(attempt, kind, body, anyway=False):
        def asked():
            answered, code = sftp.ask(kind, body)
            return answered != STATUS or code == 0, WORDS.get(code, code) if answered == STATUS else "answered"
        matrix.attempt(attempt, asked, anyway)
    return ask


def sftp_attempts(matrix):
    mine = f".stolen-{os.getpid()}.part"
    key, chain = f"{matrix.victim}/privkey.pem", f"{matrix.victim}/fullchain.pem"
    # whose forced command starts it in the staging directory
    sftp = Sftp(matrix.ssh, ("subsystem", b"control" if matrix.control else b"sftp"))

    # What it may do: without that, everything below is refused for nothing.
    def must(what, success):
        if not success:
            sys.exit(f"stolen_key: {what} is refused")

    must("mkdir", sftp.ask(MKDIR, string(mine) + u32(0)) == (STATUS, 0))
    must("an upload", sftp.put(f"{mine}/one", b"one") and sftp.put(f"{mine}/two", b"two"))
    must("opening to write", (handle := sftp.open(f"{mine}/one", FXF_READ | FXF_WRITE)) is not None)
    must("mkdir in it", sftp.ask(MKDIR, string(f"{mine}/directory") + u32(0)) == (STATUS, 0))
    must("mkdir in it", sftp.ask(MKDIR, string(f"{mine}/empty") + u32(0)) == (STATUS, 0))

    ask = asker(matrix, sftp)

    def read(path):
        def attempt():
            opened = sftp.open(path, FXF_READ)
            if opened is None:
                return False, "not even opened"
            kind, code = sftp.ask(READ, string(opened) + struct.pack(">Q", 0) + u32(64))
            sftp.ask(CLOSE, string(opened))
            return kind != STATUS, WORDS.get(code, code) if kind == STATUS else f"{code[:16]}"
        return attempt

    def write(path, flags=FXF_WRITE | FXF_CREAT):
        def attempt():
            kind, code = sftp.ask(OPEN, string(path) + u32(flags) + u32(0))
            if kind == STATUS:
                return False, WORDS.get(code, code)
            kind, code = sftp.ask(WRITE, string(code) + struct.pack(">Q", 0) + string("x"))
            return True, f"opened; then: {WORDS.get(code, code)}"
        return attempt

    def extended(name, body):
        return string(name) + body

    mode = u32(ATTR_MODE) + u32(0o666)
    owner = u32(ATTR_OWNER) + u32(0) + u32(0)
    times = u32(ATTR_TIMES) + u32(0) + u32(0)
    size = u32(ATTR_SIZE) + struct.pack(">Q", 1)

    matrix.attempt("read back: the private key that was pushed", read(key))
    matrix.attempt("read back: its own upload", read(f"{mine}/two"))
    ask("read back: by a handle for reading and writing", READ, string(handle) + struct.pack(">Q", 0) + u32(64))
    matrix.attempt("read: authorized_keys", read("../.ssh/authorized_keys"))
    matrix.attempt("read: /etc/passwd", read("/etc/passwd"), True)
    ask("list: the staging directory", OPENDIR, string("."))
    ask("list: /", OPENDIR, string("/"))
    ask("list: by a handle of a file", READDIR, string(handle), True)
    ask("stat", STAT, string(key))
    ask("lstat", LSTAT, string(key))
    ask("fstat", FSTAT, string(handle))
    ask("realpath", REALPATH, string("."))
    ask("readlink", READLINK, string("/bin"))
    ask("chmod", SETSTAT, string(key) + mode)
    ask("chmod of the staging directory", SETSTAT, string(".") + u32(ATTR_MODE) + u32(0o700))
    ask("chown", SETSTAT, string(key) + owner, True)
    ask("utimes", SETSTAT, string(key) + times)
    ask("truncate", SETSTAT, string(f"{mine}/one") + size)
    ask("fchmod", FSETSTAT, string(handle) + mode)
    ask("fchown", FSETSTAT, string(handle) + owner, True)
    ask("futimes", FSETSTAT, string(handle) + times)
    ask("ftruncate", FSETSTAT, string(handle) + size)
    ask("lsetstat@openssh.com: chmod", EXTENDED, extended("lsetstat@openssh.com", string(f"{mine}/two") + times))
    ask("rename over a file that is there", RENAME, string(f"{mine}/one") + string(chain), True)
    ask("rename over a directory that is there", RENAME, string(f"{mine}/directory") + string(matrix.victim), True)
    ask("posix-rename@openssh.com over a file", EXTENDED,
        extended("posix-rename@openssh.com", string(f"{mine}/one") + string(f"{mine}/empty.pem")))
    ask("a symbolic link to /etc/passwd", SYMLINK, string("/etc/passwd") + string(f"{mine}/link"))
    ask("a symbolic link to a directory", SYMLINK, string("/") + string(f"{mine}/root"))
    ask("hardlink@openssh.com of the private key", EXTENDED,
        extended("hardlink@openssh.com", string(key) + string(f"{mine}/linked")))
    ask("hardlink@openssh.com of root's file", EXTENDED,
        extended("hardlink@openssh.com", string("/etc/passwd") + string(f"{mine}/passwd")), True)
    ask("copy-data from one handle to another", EXTENDED,
        extended("copy-data", string(handle) + struct.pack(">QQ", 0, 1) + string(handle) + struct.pack(">Q", 90)), True)
    ask("statvfs@openssh.com", EXTENDED, extended("statvfs@openssh.com", string(".")))
    ask("fstatvfs@openssh.com", EXTENDED, extended("fstatvfs@openssh.com", string(handle)))
    # From here on, an older server knows some of them not.
    ask("limits@openssh.com", EXTENDED, extended("limits@openssh.com", b""), True)
    ask("expand-path@openssh.com", EXTENDED, extended("expand-path@openssh.com", string("~root/x")), True)
    ask("home-directory", EXTENDED, extended("home-directory", string("root")), True)
    ask("users-groups-by-id@openssh.com", EXTENDED,
        extended("users-groups-by-id@openssh.com", string(u32(0)) + string(u32(0))), True)
    ask("an extension that nobody knows", EXTENDED, extended("shell@example.org", string("id")), True)

    # Out of the staging directory. In a chroot these are other places, or none.
    for path in ("..", "../../..", "../.ssh"):
        ask(f"a directory beside staging: {path}", MKDIR, string(f"{path}/stolen") + u32(0), True)
    matrix.attempt("overwrite ../.ssh/authorized_keys", write("../.ssh/authorized_keys", FXF_WRITE | FXF_TRUNC), True)
    for path in ("../.ssh/authorized_keys2", "../.ssh/rc", "../.ssh/environment", "../.profile", "../.pam_environment",
                 "../../certsync/.bashrc", "/home/certsync/.ssh/rc", "/root/.ssh/authorized_keys", "/etc/cron.d/stolen",
                 "/etc/ld.so.preload", "/opt/mailcow-dockerized/data/assets/ssl/key.pem",
                 "/var/lib/mailcow-cert-deploy/stolen", "/var/spool/cron/crontabs/certsync",
                 "/tmp/stolen", "/tmp/.X11-unix/stolen", "/var/tmp/stolen", "/dev/shm/stolen", "/run/lock/stolen",
                 "/dev/mqueue/stolen", "/proc/self/mem", "/proc/self/oom_score_adj", "/proc/sys/kernel/core_pattern",
                 "/dev/kmsg"):
        matrix.attempt(f"write {path}", write(path), True)
    return sftp, mine


def late_attempts(matrix, sftp, mine):
    """What changes or ends things, after all the others."""
    ask = asker(matrix, sftp)
    uid = os.environ["STOLEN_KEY_UID"]
    # where a systemd of the user's own would read what to run
    ask(f"a directory in /run/user/{uid}", MKDIR, string(f"/run/user/{uid}/stolen") + u32(0), True)
    ask("rename the generation out of staging", RENAME, string(mine) + string("../stolen"), True)
    ask("rename .ssh into staging", RENAME, string("../.ssh") + string(f"{mine}/ssh"), True)
    ask("rename root's file into staging", RENAME, string("/etc/hostname") + string(f"{mine}/hostname"), True)
    ask("remove a file", REMOVE, string(f"{mine}/two"))
    ask("remove the private key that was pushed", REMOVE, string(f"{matrix.victim}/privkey.pem"))
    ask("remove an empty directory", RMDIR, string(f"{mine}/empty"))

    def larger():
        handle = sftp.open(f"{mine}/large", FXF_WRITE | FXF_CREAT)
        return sftp.ask(WRITE, string(handle) + struct.pack(">Q", 1 << 40) + string("x")) == (STATUS, 0)
    matrix.attempt("a sparse file of a tebibyte", larger, True)


def run_matrix(host, key, victim):
    matrix = Matrix(host, key, victim)
    ssh_attempts(matrix)
    sftp, mine = sftp_attempts(matrix)
    late_attempts(matrix, sftp, mine)
    matrix.ssh.close()
    print(f"{matrix.count} attempts, {matrix.count - matrix.wrong} {'as expected' if matrix.control else 'refused'}")
    return matrix.wrong != 0


# --- a lot of it ------------------------------------------------------------------------------------------------

def served(host, key):
    """A connection with an SFTP server of its own, or None."""
    ssh = None
    try:
        ssh = Ssh(host, key)
        Sftp(ssh)
        return ssh
    except (Gone, Hung, OSError):
        if ssh:
            ssh.close()
        return None


def connections(host, key, number, wave):
    """Log in ${number} times, and hold on to what is served until ${wave} of them were tried."""
    held, total, most = [], 0, 0
    for tried in range(number):
        if tried % wave == 0:
            for ssh in held:
                ssh.close()
            held = []
        if ssh := served(host, key):
            held.append(ssh)
            total += 1
        most = max(most, len(held))
    print(f"{number} logins, {total} served, at most {most} at once")
    sys.stdout.flush()
    # until the caller has looked around
    sys.stdin.read()


def fill(host, key, mebibytes):
    """Upload until it is refused; prints what was taken."""
    sftp = Sftp(Ssh(host, key))
    taken = 0
    block = b"x" * 32768
    while taken < mebibytes << 20:
        path = f".fill-{os.getpid()}-{taken >> 20}"
        handle = sftp.open(path, FXF_WRITE | FXF_CREAT)
        if handle is None:
            break
        at = 0
        while at < 1 << 20 and sftp.ask(
                WRITE, string(handle) + struct.pack(">Q", at) + string(block)) == (STATUS, 0):
            at += len(block)
        sftp.ask(CLOSE, string(handle))
        taken += at
        if at < 1 << 20:
            break
    print(f"{taken >> 10} KiB")


def main(host, key, what, *arguments):
    if what == "connections":
        return connections(host, key, *map(int, arguments))
    if what == "fill":
        return fill(host, key, *map(int, arguments))
    return run_matrix(host, key, what)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
