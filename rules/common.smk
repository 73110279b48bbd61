import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from karyobench.errors import KaryobenchError
from karyobench.workflow import paths, preflight, start

try:
    start.in_repository(Path.cwd())
    start.read(config, Path(workflow.basedir), validate)
    catalogue = start.Catalogue(config)
    if workflow.is_main_process and not workflow.dryrun:
        start.claim(Path.cwd())
except KaryobenchError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    dataset=r"[\w.-]+(@[\w.-]+)?",
    stain=r"[\w.-]+",
    patches=r"[\w.-]+",
    pretrained=r"[\w.-]+",
    experiment=r"[\w.-]+",
    leaderboard=r"[\w.-]+",
    study=r"[\w.-]+",
    seed=r"\d+",


localrules:
    all,
    download,
    pretrained,


onstart:
    if workflow.executor_plugin.name == "slurm":
        try:
            preflight.at_start(workflow, Path.cwd())
        except KaryobenchError as error:
            raise WorkflowError(str(error)) from None
