# The service, built from its bento, without Spark and Airflow. It runs as an ordinary user; the root may be read-only.
# The build context is the project's folder.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS built
# Certificate files to trust, for builds behind a proxy with its own certificate.
ARG PIP_CERT
ARG SSL_CERT_FILE
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock docker/packages.sh docker/serving.txt ./
RUN sh packages.sh serving.txt
COPY pyproject.toml ./
COPY serving serving
RUN PATH=/opt/uv/bin:$PATH BENTOML_HOME=/bentoml BENTOML_DO_NOT_TRACK=True /opt/venv/bin/bentoml build --version image

FROM ${BASE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --home-dir /data --create-home nightshelf \
 && install --directory --owner 10001 --group 10001 /data/.nightshelf /data/keys /data/nights
COPY --from=built /opt/venv /opt/venv
COPY --from=built /bentoml/bentos/nightshelf/image /bento
COPY docker/healthy.py /usr/local/bin/healthy
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    BENTOML_HOME=/tmp/bentoml \
    BENTOML_DO_NOT_TRACK=True \
    DO_NOT_TRACK=true \
    MLFLOW_DISABLE_TELEMETRY=true \
    NIGHTSHELF_HOME=/data \
    NIGHTSHELF_HOST=0.0.0.0 \
    NIGHTSHELF_SERVING_PORT=3000
USER 10001
WORKDIR /data
EXPOSE 3000
# /livez succeeds before the first model, so that a start doesn't wait for a nightly run; the proxy checks /readyz.
HEALTHCHECK --interval=10s --timeout=30s --start-period=600s CMD healthy http://127.0.0.1:$NIGHTSHELF_SERVING_PORT/livez
CMD ["bentoml", "serve", "/bento"]
