rule patch:
    input:
        images=catalogue.patch_images,
        splits=catalogue.patch_splits,
    output:
        patches=paths.PATCHES,
    log:
        paths.log("patch", "patches"),
    benchmark:
        paths.benchmark("patch", "patches")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=catalogue.slice("patch"),
        code=catalogue.code("patch"),
    shell:
        "python scripts/patch.py --config {params.config:q} --images {input.images:q} --splits {input.splits:q}"
        " --output {output.patches} 2>&1 | tee {log}"
