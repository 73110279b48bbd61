"""A real SLURM on this one machine: two nodes with two fake GPUs each, and sacct. Debian 12, no root needed.

    python tests/slurm/cluster.py up        start it afresh; what an earlier run left is swept first
    python tests/slurm/cluster.py down      stop it, its jobs too; packages and logs stay
    eval "$(python tests/slurm/cluster.py env)"     use it from this shell

Packages, configuration, keys, database and logs live in one directory, $KARYOBENCH_SLURM_DIR
(default: karyobench-slurm.<uid> in the system's temporary directory). Nothing is installed.
The standard library is enough to run this file.
"""

import contextlib
import fcntl
import getpass
import itertools
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

STATE = Path(os.environ.get("KARYOBENCH_SLURM_DIR") or f"{tempfile.gettempdir()}/karyobench-slurm.{os.getuid()}")
NODES, CPUS, MEMORY = 2, 8, 64000  # what each node claims to have, whatever this machine has
GPU_DEVICES = ("null", "zero")  # every GPU needs a character device of its own; without cgroups none is opened
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurmdbd", "munge", "mariadb-server-core", "mariadb-client-core")
PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmstepd", "slurmdbd", "mariadbd", "mariadb-install-db", "sbatch")
CLIENTS = ("sacct", "sacctmgr", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun", "sshare")

USR, TRIPLET = STATE / "pkg/usr", f"{platform.machine()}-linux-gnu"
CONF, MUNGE, MYSQL = STATE / "etc/slurm.conf", STATE / "run/munge.socket", STATE / "db/mysql.sock"
PLUGINS = f"lib/{TRIPLET}/slurm-wlm"
LIBRARIES = f"{USR / PLUGINS}:{USR}/lib/{TRIPLET}"
TEMPLATES = Path(__file__).parent
SEARCH = f"{USR}/sbin:{USR}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
MARK = f"KARYOBENCH_CLUSTER={STATE}"  # in the environment of every daemon, so that leftovers are known by it
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "SBATCH"))}
COMMAND_ENV = CLEAN | {"PATH": SEARCH, "LD_LIBRARY_PATH": LIBRARIES, "SLURM_CONF": str(CONF), "LC_ALL": "C"}
DAEMON_ENV = COMMAND_ENV | {"MYSQL_UNIX_PORT": str(MYSQL), "KARYOBENCH_CLUSTER": str(STATE)}


# ---------------------------------------------------------------- packages
def fetch_packages() -> None:
    """Unpack the Debian packages that this machine lacks; nothing is installed and no service starts."""
    if all(which(program) for program in PROGRAMS):
        return
    plan = command("apt-get", "install", "--simulate", "--no-install-recommends", *PACKAGES)
    missing = re.findall(r"^Inst (\S+) \(", plan.stdout, re.MULTILINE)  # `Inst name [old] (new)` is an upgrade
    if plan.returncode or not missing:
        fail(f"apt cannot supply {' '.join(PACKAGES)}; run `apt-get update` as root first", plan.stderr)
    shutil.rmtree(STATE / "deb", ignore_errors=True)
    (STATE / "deb").mkdir()
    got = command("apt-get", "-q", "download", *missing, cwd=STATE / "deb")
    if got.returncode:
        fail("apt-get download failed; run `apt-get update` as root, then try again", got.stderr)
    for package in sorted((STATE / "deb").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, STATE / "pkg"], check=True)
    for program in USR.glob("sbin/*-wlm"):  # what update-alternatives does; slurmstepd dies under any other name
        link = program.with_name(program.name.removesuffix("-wlm"))
        link.unlink(missing_ok=True)
        link.symlink_to(program.name)
    if lacking := [program for program in PROGRAMS if not which(program)]:
        fail(f"the packages hold no {', '.join(lacking)}; this script knows Debian 12")


def which(program: str) -> str | None:
    return shutil.which(program, path=SEARCH)


# ---------------------------------------------------------------- configuration
def configure() -> None:
    """Write the configuration of SLURM, its database and its GPUs, and the client commands."""
    for folder in ("etc", "run", "log", "spool/ctld", "db", "bin", *(f"spool/n{n}" for n in range(1, NODES + 1))):
        (STATE / folder).mkdir(parents=True, exist_ok=True)
    private(STATE / "etc/munge.key", os.urandom(1024))
    controller, database, *workers = free_ports(NODES + 2)
    plugins = [folder for folder in (USR / PLUGINS, Path("/usr") / PLUGINS) if folder.is_dir()]
    values = {"state": STATE, "user": getpass.getuser(), "host": socket.gethostname().split(".")[0]}
    values |= {"controller": controller, "database": database, "plugins": ":".join(map(str, plugins))}
    size = f"CPUs={CPUS} RealMemory={MEMORY} Gres=gpu:fake:{len(GPU_DEVICES)}"
    values["nodes"] = "\n".join(
        f"NodeName=n{n} NodeHostname={values['host']} NodeAddr=127.0.0.1 Port={port} {size}"
        for n, port in enumerate(workers, 1)
    )
    for name in ("slurm.conf", "slurmdbd.conf"):
        private(STATE / "etc" / name, (TEMPLATES / name).read_text().format(**values).encode())
    CONF.chmod(0o644)
    gpus = [f"NodeName=n[1-{NODES}] Name=gpu Type=fake File=/dev/{device}" for device in GPU_DEVICES]
    (STATE / "etc/gres.conf").write_text("\n".join(["AutoDetect=off", *gpus, ""]))
    for client in CLIENTS:
        write_client(client)


def write_client(name: str) -> None:
    """A wrapper that carries SLURM_CONF: Snakemake's job step removes SLURM_* from the environment before srun.

    The loader's option takes the place of LD_LIBRARY_PATH, which would pass on into the jobs.
    """
    loader = next(Path("/").glob(f"lib*/ld-linux-{platform.machine().replace('_', '-')}.so.*"))
    run = f'exec {loader} --library-path {LIBRARIES} --argv0 {name} {which(name)} "$@"'
    path = STATE / "bin" / name
    path.write_text(f"#!/bin/sh\nexport SLURM_CONF={CONF}\n{run}\n")
    path.chmod(0o755)


def private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(data)


def free_ports(count: int) -> list[int]:
    """Free TCP ports below the range that the kernel hands out to others."""
    candidates = range(20000 + os.getpid() % 5000, 32000)
    return list(itertools.islice(filter(is_free, candidates), count))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


# ---------------------------------------------------------------- daemons
def start() -> None:
    """Start all daemons in order, each when the one before it serves, and wait for the nodes."""
    start_munge()
    start_database()
    dbd = launch("slurmdbd", "-D")
    wait_for(dbd, lambda: answers("sacctmgr", "-n", "list", "cluster"))
    for entity in ("cluster local", "account tests", f"user {getpass.getuser()} account=tests"):
        command("sacctmgr", "--immediate", "add", *entity.split())  # the user root is there from the beginning
    controller = launch("slurmctld", "-D")
    wait_for(controller, lambda: answers("scontrol", "ping"))
    slurmds = [launch("slurmd", "-D", "-N", f"n{n}", "-d", str(which("slurmstepd"))) for n in range(1, NODES + 1)]
    wait_for(slurmds[-1], lambda: command("sinfo", "-hNp", "gpu", "-o", "%t").stdout.split() == ["idle"] * NODES)


def start_munge() -> None:
    # --force: a private or group-writable parent directory is only a warning
    files = (f"--key-file={STATE}/etc/munge.key", f"--pid-file={STATE}/run/munged.pid", f"--seed-file={STATE}/run/seed")
    munged = launch("munged", "--foreground", "--force", f"--socket={MUNGE}", *files)
    wait_for(munged, lambda: answers("munge", "-n", "-S", str(MUNGE)))


def start_database() -> None:
    base = USR if (USR / "sbin/mariadbd").exists() else Path("/usr")
    store = ("--no-defaults", f"--user={getpass.getuser()}", f"--basedir={base}", f"--datadir={STATE}/db")
    # --force: the name of the machine need not be known to its resolver
    made = command(
        "mariadb-install-db", *store, "--force", "--skip-test-db", "--auth-root-authentication-method=normal"
    )
    if made.returncode:
        fail("mariadb-install-db failed", made.stdout + made.stderr)
    # no network, and a socket in a private directory: passwords are not needed
    private_only = (f"--socket={MYSQL}", "--skip-networking", "--skip-grant-tables")
    mariadbd = launch("mariadbd", *store, *private_only, f"--pid-file={STATE}/run/db.pid")
    wait_for(mariadbd, MYSQL.is_socket)


def launch(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    words = [str(which(program)), *arguments]
    with open(STATE / f"log/{program}.out", "ab") as log:
        return subprocess.Popen(
            words, env=DAEMON_ENV, cwd=STATE, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def wait_for(daemon: subprocess.Popen[bytes], serves: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not serves():
        if daemon.poll() is not None or time.monotonic() > end:
            fail(f"{Path(daemon.args[0]).name} ended or does not serve after {seconds:.0f} s; see {STATE}/log")
        time.sleep(0.1)


def command(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = which(words[0]) or fail(f"{words[0]} is not there; this script needs Debian 12 with apt-get")
    return subprocess.run([program, *words[1:]], env=COMMAND_ENV, cwd=cwd, capture_output=True, text=True)


def answers(*words: str) -> bool:
    return command(*words).returncode == 0


def fail(message: str, detail: str = "") -> NoReturn:
    sys.exit(f"cluster: {message}\n{detail}".rstrip())


# ---------------------------------------------------------------- up, down, env
def leftovers() -> Iterator[int]:
    """Processes of this cluster: daemons and their step daemons by our mark, job processes by our SLURM_CONF."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # gone meanwhile, or another user's
        in_job = f"SLURM_CONF={CONF}" in words and any(word.startswith("SLURM_JOB_ID=") for word in words)
        if MARK in words or in_job:
            yield int(folder.name)


def down() -> None:
    """Stop everything and drop SLURM's state; works whatever is running, and after any crash."""
    end = time.monotonic() + 60
    while found := list(leftovers()):
        if time.monotonic() > end:
            fail(f"processes {found} do not end")
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    for folder in ("etc", "run", "spool", "db", "bin"):
        shutil.rmtree(STATE / folder, ignore_errors=True)


def up() -> None:
    down()
    shutil.rmtree(STATE / "log", ignore_errors=True)
    fetch_packages()
    configure()
    start()


def env() -> None:
    sys.stdout.write(f'export SLURM_CONF="{CONF}"\nexport PATH="{STATE}/bin:$PATH"\n')


def main(action: str) -> None:
    if not re.fullmatch(r"/[A-Za-z0-9/._-]{1,85}", str(STATE)):  # a unix socket's path has at most 107 characters
        fail(f"KARYOBENCH_SLURM_DIR must be absolute, short and without odd characters: {STATE}")
    STATE.mkdir(parents=True, exist_ok=True)
    with open(STATE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        {"up": up, "down": down, "env": env}[action]()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("up", "down", "env"):
        sys.exit(__doc__)
    main(sys.argv[1])
