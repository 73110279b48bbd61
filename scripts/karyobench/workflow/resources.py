"""What a training job asks of a machine or a cluster, in the words of Snakemake's SLURM executor."""

from typing import Any

Record = dict[str, Any]


def threads_per_rank(system: Record, threads: int) -> int:
    """Numeric threads of each process that trains a system: an equal share of the configuration's `threads`."""
    return max(1, threads // system["train"]["ranks"])


def training(system: Record, threads: int, attempt: int) -> Record:
    """Resources of a training job; what is None is not asked for. Memory grows with the attempt.

    A system's `resources` are those of one rank. Several ranks are tasks of one SLURM job, evenly spread over its
    nodes: its memory is meant per node, its GPUs per job or, on several nodes, per node (`gres`).
    """
    asked, ranks = system["resources"], system["train"]["ranks"]
    nodes = asked["nodes"]
    here = ranks // nodes
    on_nodes = nodes > 1 and asked["gpu"]
    job = {
        "gpu": None if on_nodes else asked["gpu"] * ranks,
        "mem_mb": asked["mem_mb"] * here * attempt,
        "runtime": asked["runtime"],
        "ranks_per_node": here,
    }
    tasks = {
        "gres": f"gpu:{asked['gpu'] * here}" if on_nodes else None,
        "mpi": "srun",  # makes the executor leave it to the step to start its tasks
        "nodes": nodes,
        "tasks": ranks if here == 1 else None,
        "tasks_per_node": here if here > 1 else None,
        "tasks_per_gpu": 0,  # a rank finds its GPU among all of its node's by its number there
        "cpus_per_task": threads_per_rank(system, threads),
    }
    return job | (tasks if ranks > 1 else dict.fromkeys(tasks))
