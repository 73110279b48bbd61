rule evaluate:
    input:
        truth=catalogue.ingested_dataset,
        split=paths.SPLIT,
        merged=paths.MERGED,
    output:
        counts=paths.METRICS,
    log:
        paths.log("evaluate", "experiment", "seed", "dataset"),
    benchmark:
        paths.benchmark("evaluate", "experiment", "seed", "dataset")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        config=catalogue.slice("evaluate"),
        code=catalogue.code("evaluate"),
    shell:
        "python scripts/evaluate.py --config {params.config:q} --truth {input.truth} --split {input.split}"
        " --merged {input.merged} --output {output.counts} 2>&1 | tee {log}"
