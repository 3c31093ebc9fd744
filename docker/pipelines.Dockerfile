# The nightly run: Airflow's components, the steps and Spark; Spark's master and workers use this image too.
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
COPY requirements.lock docker/packages.sh docker/pipelines.txt ./
RUN sh packages.sh pipelines.txt
COPY LICENSE README.md pyproject.toml ./
COPY dags dags
COPY expectations expectations
COPY pipelines pipelines
COPY serving serving
RUN /opt/uv/bin/uv pip install --python /opt/venv/bin/python --no-deps --no-build-isolation --compile-bytecode .

FROM ${BASE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 openjdk-17-jre-headless python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --home-dir /data --create-home nightshelf \
 && install --directory --owner 10001 --group 10001 \
      /data/.nightshelf /data/artifacts /data/expectations /data/keys /data/lake /data/nights
COPY --from=built /opt/venv /opt/venv
COPY docker/healthy.py /usr/local/bin/healthy
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
    DO_NOT_TRACK=true \
    GX_ANALYTICS_ENABLED=false \
    MLFLOW_DISABLE_TELEMETRY=true \
    SCARF_ANALYTICS=false \
    SCARF_NO_ANALYTICS=true \
    NIGHTSHELF_HOME=/data \
    PYSPARK_PYTHON=/opt/venv/bin/python \
    AIRFLOW_HOME=/data/.nightshelf/airflow \
    AIRFLOW__API__PORT=8080
USER 10001
WORKDIR /data
EXPOSE 8080
# The health check of the API server; compose.yaml has those of the other components.
HEALTHCHECK --interval=10s --timeout=30s --start-period=600s CMD healthy http://127.0.0.1:$AIRFLOW__API__PORT/api/v2/monitor/health metadatabase
CMD ["airflow", "api-server"]
