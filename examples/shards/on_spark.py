"""Scoring on Spark: `mapInPandas` with a model and an encoder that each worker maps from one file.

fastfm_c.save({"encoder": encoder, "model": model}, "/shared/shop.safetensors")
scored = scores_of(table, "/shared/shop.safetensors")
"""

import fastfm_c


def scores_of(table, path, name="score"):
    """The Spark DataFrame with a column of raw scores; `path` is a file that all workers can read."""

    def score(batches):
        shop = fastfm_c.load(path)  # mapped: the workers of a machine share its pages
        for batch in batches:
            X = shop["encoder"].transform(batch)
            yield batch.assign(**{name: shop["model"].predict(X, num_threads=1).astype(float)})

    return table.mapInPandas(score, f"{', '.join(f'`{n}` {t}' for n, t in table.dtypes)}, `{name}` double")
