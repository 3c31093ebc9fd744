# MLflow's server: runs and registry in a database, artifacts in a folder that only the server accesses.
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
COPY requirements.lock docker/packages.sh docker/mlflow.txt ./
RUN sh packages.sh mlflow.txt

FROM ${BASE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --home-dir /data --create-home nightshelf \
 && install --directory --owner 10001 --group 10001 /data/artifacts
COPY --from=built /opt/venv /opt/venv
COPY docker/healthy.py /usr/local/bin/healthy
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DO_NOT_TRACK=true \
    MLFLOW_DISABLE_TELEMETRY=true \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
    MLFLOW_SERVER_ALLOWED_HOSTS=mlflow:5000,localhost:*,127.0.0.1:* \
    MLFLOW_BACKEND_STORE_URI=sqlite:////data/mlflow.db \
    MLFLOW_ARTIFACTS_DESTINATION=/data/artifacts \
    MLFLOW_HOST=0.0.0.0 \
    MLFLOW_PORT=5000 \
    MLFLOW_WORKERS=1
USER 10001
WORKDIR /data
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=30s --start-period=600s CMD healthy http://127.0.0.1:$MLFLOW_PORT/health
CMD ["mlflow", "server"]
