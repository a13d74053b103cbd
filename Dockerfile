# One image for agent, ingest, page and every command: `docker run palier:0.1.0 ingest --config ...`.
# For amd64 and arm64 alike: docker buildx build --platform linux/amd64,linux/arm64 .
# Both stages must start from the same image: the second runs the first one's environment with its own Python.
ARG PYTHON_IMAGE=python:3.13.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# The environment gets no pip of its own: what runs in production can't install anything.
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/palier
WORKDIR /src
COPY requirements/build.txt requirements/server.txt requirements/
# Hashed, and wheels only: nothing is compiled, so neither stage has a compiler. A network whose proxy has a root
# certificate of its own: docker build --secret id=ca,src=FILE.pem (compose: docker-compose.ca.yml).
RUN --mount=type=secret,id=ca \
    [ ! -s /run/secrets/ca ] || export PIP_CERT=/run/secrets/ca; \
    /opt/pip/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt \
    && /opt/pip/bin/pip --python /opt/palier/bin/python3 install --no-cache-dir --require-hashes --only-binary :all: \
       -r requirements/server.txt
COPY . .
RUN /opt/pip/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --no-index --wheel-dir /wheel . \
    && /opt/pip/bin/pip --python /opt/palier/bin/python3 install --no-cache-dir --no-deps --no-index /wheel/*.whl

FROM ${PYTHON_IMAGE}
# Generic top-level names (models, ingest) must never be shadowed by a folder where a user stands.
ENV PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PATH=/opt/palier/bin:$PATH PALIER_HOME=/var/lib/palier \
    PALIER_HEALTH_URL=http://127.0.0.1:8080/healthz
# Pango and a font that has Latin and Arabic letters: `palier report` prints PDF with them.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*
# A fixed number, so that it can be said in files and policies; compose runs it as the owner of the secrets.
RUN groupadd --gid 10001 palier \
    && useradd --uid 10001 --gid palier --no-log-init --home-dir /var/lib/palier --no-create-home palier \
    && install --directory --owner palier --group palier --mode 0750 /var/lib/palier
COPY --from=build /opt/palier /opt/palier
USER 10001:10001
# No VOLUME: data in one that nobody named are lost by the first clean-up.
WORKDIR /var/lib/palier
# Of the page; whoever runs another service says where its health is (docker-compose.yml does).
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen(os.environ['PALIER_HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["palier"]
CMD ["--help"]
