rule export:
    input:
        weights=catalogue.trained_weights,
        patches=catalogue.patches,
    output:
        network=paths.EXPORTED,
    log:
        paths.log("export", "experiment", "seed"),
    benchmark:
        paths.benchmark("export", "experiment", "seed")
    conda:
        "../envs/torch.yaml"
    threads: config["threads"]
    resources:
        mem_mb=catalogue.resource("mem_mb"),
        runtime=catalogue.resource("runtime"),
    params:
        config=catalogue.slice("export"),
        code=catalogue.code("export"),
    shell:
        "python scripts/export.py --config {params.config:q} --weights {input.weights} --patches {input.patches}"
        " --output {output.network} 2>&1 | tee {log}"


rule predict:
    input:
        images=catalogue.test_images,
        split=paths.SPLIT,
        weights=catalogue.weights,
        label_maps=catalogue.label_maps,
    output:
        predictions=paths.PREDICTIONS,
    log:
        paths.log("predict", "experiment", "seed", "dataset"),
    benchmark:
        paths.benchmark("predict", "experiment", "seed", "dataset")
    conda:
        "../envs/torch.yaml"
    threads: config["threads"]
    resources:
        gpu=catalogue.prediction_gpu,
        mem_mb=catalogue.resource("mem_mb"),
        runtime=catalogue.resource("runtime"),
    params:
        config=catalogue.slice("predict"),
        code=catalogue.code("predict"),
    shell:
        "python scripts/predict.py --config {params.config:q} --images {input.images} --split {input.split}"
        " --weights {input.weights} --output {output.predictions} 2>&1 | tee {log}"


rule merge:
    input:
        predictions=paths.PREDICTIONS,
    output:
        merged=paths.MERGED,
    log:
        paths.log("merge", "experiment", "seed", "dataset"),
    benchmark:
        paths.benchmark("merge", "experiment", "seed", "dataset")
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        config=catalogue.slice("merge"),
        code=catalogue.code("merge"),
    shell:
        "python scripts/merge.py --config {params.config:q} --predictions {input.predictions}"
        " --output {output.merged} 2>&1 | tee {log}"


rule class_maps:
    input:
        predictions=paths.PREDICTIONS,
    output:
        pictures=directory(paths.CLASS_MAPS),
    log:
        paths.log("class_maps", "experiment", "seed", "dataset"),
    benchmark:
        paths.benchmark("class_maps", "experiment", "seed", "dataset")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        code=catalogue.code("class_maps"),
    shell:
        "python scripts/class_maps.py --predictions {input.predictions}"
        " --output {output.pictures} 2>&1 | tee {log}"
