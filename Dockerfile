# One image for agent, ingest and console: `docker run IMAGE palier ingest --config ...`.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/server.txt requirements/server.txt
RUN python -m venv /opt/palier && /opt/palier/bin/pip install --no-cache-dir --require-hashes -r requirements/server.txt
COPY . .
RUN /opt/palier/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
# Generic top-level names (models, ingest) must never be shadowed by a folder where a user stands.
ENV PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PATH=/opt/palier/bin:$PATH PALIER_HOME=/var/lib/palier
RUN useradd --system --home-dir /var/lib/palier --create-home palier
COPY --from=build /opt/palier /opt/palier
USER palier
VOLUME /var/lib/palier
ENTRYPOINT ["palier"]
CMD ["--help"]
