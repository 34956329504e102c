# The adapter on Airflow's official image: its requirements as they are pinned and hashed, then the package itself.
FROM apache/airflow:3.3.2-python3.11

LABEL org.opencontainers.image.title="IFMS adapter" \
      org.opencontainers.image.description="Pays MUKTASoft's wage seekers through Odisha's treasury (JIT-FS), run by Airflow" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.base.name="apache/airflow:3.3.2-python3.11"

USER airflow
WORKDIR /opt/airflow

# Folders that volumes are laid over: made here, a volume belongs to who runs.
RUN mkdir -p logs reports simulators tls

COPY --chown=airflow:0 requirements.txt /tmp/ifms/
RUN pip install --no-cache-dir --require-hashes --requirement /tmp/ifms/requirements.txt

COPY --chown=airflow:0 pyproject.toml README.md /tmp/ifms/
COPY --chown=airflow:0 include /tmp/ifms/include
COPY --chown=airflow:0 plugins /tmp/ifms/plugins
RUN pip install --no-cache-dir --no-deps /tmp/ifms && rm -rf /tmp/ifms

COPY --chown=airflow:0 dags /opt/airflow/dags
# The rest of plugins/ is in the package; here is what Airflow looks for by folder.
COPY --chown=airflow:0 plugins/ifms_plugin.py plugins/.airflowignore /opt/airflow/plugins/

# An image that can't do this must not be built.
RUN airflow version && ifms --help && python -c "import ifms_airflow.operators, ifms_deployment, ifms_simulator.serve"
