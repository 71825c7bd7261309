# Gatekeeper in a container: a wheel in a virtual environment, a user without rights, data in /data.
# Not built by the tests (docs/operating.md, Containers).
FROM python:3.12-slim AS build
RUN python -m venv /opt/gatekeeper
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY templates templates
COPY gatekeeper gatekeeper
RUN /opt/gatekeeper/bin/pip install --no-cache-dir --disable-pip-version-check '.[postgres,redis,s3]'

FROM python:3.12-slim
RUN groupadd --gid 10001 gatekeeper \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin gatekeeper \
    # A new volume takes over who owns the folder that it is mounted on.
    && install -d -o gatekeeper -g gatekeeper -m 0750 \
        /data /data/store /objects /run/gatekeeper /secrets/app /secrets/owner \
    && install -d -o gatekeeper -g gatekeeper -m 0755 \
        /secrets/postgres /secrets/redis /secrets/s3
COPY --from=build /opt/gatekeeper /opt/gatekeeper
ENV PATH=/opt/gatekeeper/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GATEKEEPER_DATA=/data \
    GATEKEEPER_SERVER__HOST=0.0.0.0
USER gatekeeper
WORKDIR /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["gatekeeper"]
CMD ["serve"]
