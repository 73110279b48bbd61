rule download:
    input:
        local=lambda wildcards: catalogue.raw(wildcards.dataset),
    output:
        receipt=paths.RAW,
    log:
        paths.log("download", "dataset"),
    benchmark:
        paths.benchmark("download", "dataset")
    wildcard_constraints:
        dataset=r"[\w.-]+",
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=240,
    params:
        config=catalogue.slice("download"),
        code=catalogue.code("download"),
        # A function of the output is no rerun trigger: a mirror says where bytes come from, not what they are.
        mirror=lambda wildcards, output: config["mirror"] or "",
        partial=paths.PARTIAL,
    shell:
        "python scripts/download.py --config {params.config:q} --mirror {params.mirror:q}"
        " --partial {params.partial} --output {output.receipt} 2>&1 | tee {log}"


rule ingest:
    input:
        receipt=paths.RAW,
    output:
        dataset=paths.DATASET,
        summary=paths.INGESTED,
    log:
        paths.log("ingest", "dataset"),
    benchmark:
        paths.benchmark("ingest", "dataset")
    wildcard_constraints:
        dataset=r"[\w.-]+",
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=catalogue.slice("ingest"),
        code=catalogue.code("ingest"),
    shell:
        "python scripts/ingest.py --config {params.config:q} --receipt {input.receipt}"
        " --output {output.dataset} --summary {output.summary} 2>&1 | tee {log}"


rule split:
    input:
        dataset=catalogue.ingested_dataset,
        published=catalogue.published_split,
    output:
        split=paths.SPLIT,
    log:
        paths.log("split", "dataset"),
    benchmark:
        paths.benchmark("split", "dataset")
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config=catalogue.slice("split"),
        code=catalogue.code("split"),
    shell:
        "python scripts/split.py --config {params.config:q} --dataset {input.dataset}"
        " --list {input.published} --output {output.split} 2>&1 | tee {log}"
