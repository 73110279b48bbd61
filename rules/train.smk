rule train:
    input:
        patches=catalogue.patches,
        init=catalogue.initial_weights,
    output:
        weights=paths.WEIGHTS,
        history=paths.HISTORY,
        run=paths.RUN,
        card=paths.CARD,
        curve=paths.CURVE,
    log:
        paths.log("train", "experiment", "seed"),
    benchmark:
        paths.benchmark("train", "experiment", "seed")
    conda:
        "../envs/torch.yaml"
    threads: catalogue.training_threads
    resources:
        gpu=catalogue.training_resource("gpu"),
        gres=catalogue.training_resource("gres"),
        mem_mb=catalogue.training_resource("mem_mb"),
        runtime=catalogue.training_resource("runtime"),
        mpi=catalogue.training_resource("mpi"),
        nodes=catalogue.training_resource("nodes"),
        tasks=catalogue.training_resource("tasks"),
        tasks_per_node=catalogue.training_resource("tasks_per_node"),
        tasks_per_gpu=catalogue.training_resource("tasks_per_gpu"),
        cpus_per_task=catalogue.training_resource("cpus_per_task"),
        ranks_per_node=catalogue.training_resource("ranks_per_node"),
        launcher="local",
    params:
        config=catalogue.slice("train"),
        code=catalogue.code("train"),
        checkpoints=paths.CHECKPOINTS,
    shell:
        "python scripts/train.py --config {params.config:q} --fingerprint {params.code} --patches {input.patches}"
        " --init {input.init} --checkpoints {params.checkpoints}"
        " --launcher {resources.launcher} --ranks-per-node {resources.ranks_per_node} --weights {output.weights}"
        " --history {output.history} --run {output.run} --card {output.card} --curve {output.curve} 2>&1 | tee {log}"
