rule pretrained:
    input:
        local=catalogue.raw_weights,
    output:
        receipt=paths.PRETRAINED_RAW,
        weights=paths.PRETRAINED,
    log:
        paths.log("pretrained", "pretrained"),
    benchmark:
        paths.benchmark("pretrained", "pretrained")
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        config=catalogue.slice("pretrained"),
        code=catalogue.code("pretrained"),
        # A function of the output is no rerun trigger: a mirror says where bytes come from, not what they are.
        mirror=lambda wildcards, output: config["mirror"] or "",
        partial=paths.PRETRAINED_PARTIAL,
    shell:
        "python scripts/pretrained.py --config {params.config:q} --mirror {params.mirror:q}"
        " --partial {params.partial} --receipt {output.receipt} --output {output.weights} 2>&1 | tee {log}"
