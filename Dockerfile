# The broker in a container: docker build -t sluice . && docker run -p 5672:5672 -p 15672:15672 -v sluice:/var/lib/sluice sluice
# Data is in the volume and does not depend on the container's host name. Runs as a user without rights,
# also with a read-only root file system.

FROM node:26-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm pack --ignore-scripts --pack-destination /tmp && mv /tmp/sluice-*.tgz /tmp/sluice.tgz

FROM node:26-bookworm-slim
# The image has the runtime; the optional package that brings it elsewhere (210 MB) is left out, which npm does
# not do for a global installation.
RUN --mount=type=bind,from=build,source=/tmp/sluice.tgz,target=/tmp/sluice.tgz \
    npm install --prefix /opt/sluice --omit=optional --ignore-scripts /tmp/sluice.tgz \
    && npm cache clean --force \
    && ln -s /opt/sluice/node_modules/.bin/sluice* /usr/local/bin/ \
    && groupadd --gid 5672 sluice \
    && useradd --uid 5672 --gid sluice --no-create-home --home-dir /var/lib/sluice --shell /usr/sbin/nologin sluice \
    && install --directory --owner=sluice --group=root --mode=0770 /var/lib/sluice \
    && install --directory /etc/sluice
# By number, which Kubernetes needs to see that it is not root. Platforms that choose the user themselves (OpenShift)
# run it in the group root, which may write to the volume.
USER 5672
# Ports are published by the container's runtime, so the broker listens on all its addresses, and the
# default user may log in through them. Change its password before others can reach the ports. The file
# /etc/sluice/sluice.ini is read if it is there.
ENV SLUICE_DATADIR=/var/lib/sluice \
    CONFIGURATION_DIRECTORY=/etc/sluice \
    SLUICE_BIND=0.0.0.0,:: \
    SLUICE_HTTP_BIND=0.0.0.0,:: \
    SLUICE_METRICS_HTTP_BIND=0.0.0.0,:: \
    SLUICE_DEFAULT_USER_ONLY_LOOPBACK=false
VOLUME /var/lib/sluice
EXPOSE 5672 5671 15672 15671 15692
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["sluicectl", "--quiet", "ping"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["sluice"]
