"""What training asks of a cluster: nothing new of one process, tasks of one job of several ranks."""

import pytest

import smoke
from karyobench.workflow import resources

TASKS = {"gres", "mpi", "nodes", "tasks", "tasks_per_node", "tasks_per_gpu", "cpus_per_task"}


def asked(ranks, nodes=1, gpu=1, threads=8, attempt=1):
    """Resources that are asked for."""
    system = {
        "train": {"ranks": ranks},
        "resources": {"gpu": gpu, "mem_mb": 1000, "runtime": 60, "nodes": nodes},
    }
    return {k: v for k, v in resources.training(system, threads, attempt).items() if v is not None}


def test_one_process_asks_for_what_its_system_says():
    assert asked(1) == {"gpu": 1, "mem_mb": 1000, "runtime": 60, "ranks_per_node": 1}
    assert asked(1, attempt=2)["mem_mb"] == 2000


def test_ranks_on_one_node_are_tasks_that_share_its_gpus():
    assert asked(4) == {
        **{"gpu": 4, "mem_mb": 4000, "runtime": 60, "ranks_per_node": 4},
        **{"mpi": "srun", "nodes": 1, "tasks_per_node": 4, "tasks_per_gpu": 0, "cpus_per_task": 2},
    }
    assert asked(4, gpu=0)["gpu"] == 0


def test_ranks_on_several_nodes_have_memory_and_gpus_on_each():
    assert asked(4, nodes=2) == {
        **{"gres": "gpu:2", "mem_mb": 2000, "runtime": 60, "ranks_per_node": 2},
        **{"mpi": "srun", "nodes": 2, "tasks_per_node": 2, "tasks_per_gpu": 0, "cpus_per_task": 2},
    }
    assert asked(2, nodes=2, gpu=0) == {
        **{"gpu": 0, "mem_mb": 1000, "runtime": 60, "ranks_per_node": 1},
        **{"mpi": "srun", "nodes": 2, "tasks": 2, "tasks_per_gpu": 0, "cpus_per_task": 4},
    }


@pytest.mark.parametrize(("ranks", "threads", "each"), [(1, 3, 3), (2, 3, 1), (2, 8, 4), (8, 2, 1)])
def test_ranks_share_the_numeric_threads(ranks, threads, each):
    assert resources.threads_per_rank({"train": {"ranks": ranks}}, threads) == each


def test_every_resource_of_several_ranks_is_one_of_the_rule():
    rule = (smoke.ROOT / "rules" / "train.smk").read_text(encoding="utf-8")
    assert all(f'{name}=catalogue.training_resource("{name}")' in rule for name in TASKS)
