rule normalize:
    input:
        unpack(catalogue.reference_files),
        dataset=paths.DATASET,
    output:
        dataset=paths.STAINED,
    log:
        paths.log("normalize", "stain", "dataset"),
    benchmark:
        paths.benchmark("normalize", "stain", "dataset")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=catalogue.slice("normalize"),
        code=catalogue.code("normalize"),
    shell:
        "python scripts/normalize.py --config {params.config:q} --dataset {input.dataset}"
        " --reference {input.reference} --reference-split {input.reference_split}"
        " --output {output.dataset} 2>&1 | tee {log}"
