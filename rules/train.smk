rule train:
    input:
        patches=catalogue.patches,
        init=catalogue.initial_weights,
    output:
        weights=paths.WEIGHTS,
        history=paths.HISTORY,
        run=paths.RUN,
        card=paths.CARD,
    log:
        paths.log("train", "experiment", "seed"),
    benchmark:
        paths.benchmark("train", "experiment", "seed")
    conda:
        "../envs/torch.yaml"
    threads: config["threads"]
    resources:
        gpu=catalogue.resource("gpu"),
        mem_mb=catalogue.resource("mem_mb"),
        runtime=catalogue.resource("runtime"),
    params:
        config=catalogue.slice("train"),
        code=catalogue.code("train"),
        checkpoints=paths.CHECKPOINTS,
    shell:
        "python scripts/train.py --config {params.config:q} --fingerprint {params.code} --patches {input.patches}"
        " --init {input.init} --checkpoints {params.checkpoints} --weights {output.weights}"
        " --history {output.history} --run {output.run} --card {output.card} 2>&1 | tee {log}"
