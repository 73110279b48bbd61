"""Check that a SLURM cluster and a profile fit each other; every failure names its remedy.

Run it on the head node, from the root of the repository: python scripts/preflight.py --profile profiles/slurm
It submits two jobs of seconds. Exit status 1 when any check fails.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from karyobench import cli
from karyobench.errors import KaryobenchError


def main(args: argparse.Namespace) -> None:
    """Print one line per check, with the remedy below a failure."""
    from karyobench.workflow import preflight, slurm

    rules = args.rules.split(",") if args.rules else workflow_rules()
    checks = preflight.check(slurm.read_profile(args.profile), rules, args.directory.resolve(), cuda=args.cuda)
    print("\n".join(str(check) for check in checks))
    if any(check.state == "FAIL" for check in checks):
        sys.exit(1)


def workflow_rules() -> list[str]:
    """Names of the rules of the Snakefile in the current directory, by asking Snakemake."""
    asked = subprocess.run([sys.executable, "-m", "snakemake", "--list-rules"], capture_output=True, text=True)
    if asked.returncode:
        raise KaryobenchError(f"snakemake --list-rules failed; name the rules with --rules\n{asked.stderr.strip()}")
    return asked.stdout.split()


def arguments() -> argparse.ArgumentParser:
    """Command line of this step."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--profile", type=Path, default=Path("profiles/slurm"), help="directory of the profile")
    made.add_argument("--directory", type=Path, default=Path(), help="where the workflow will run")
    made.add_argument("--rules", help="names of the rules, comma-separated; the Snakefile is not asked then")
    made.add_argument("--no-cuda", dest="cuda", action="store_false", help="do not ask whether GPU nodes have CUDA")
    return made


if __name__ == "__main__":
    cli.run(main, arguments())
