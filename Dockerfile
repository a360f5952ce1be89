# One container with everything in it; its data folder, /data, is a volume.
#
#   docker build --tag yinzheng .
#   docker run --rm --volume yinzheng-data:/data yinzheng demo
#   docker run --rm --volume yinzheng-data:/data --publish 127.0.0.1:8000:8000 yinzheng serve --host 0.0.0.0

FROM python:3.11-slim AS builder

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/yinzheng
ENV PATH=/opt/yinzheng/bin:$PATH

WORKDIR /src
COPY requirements/runtime.txt requirements/
RUN pip install --quiet --require-hashes --requirement requirements/runtime.txt
COPY . .
RUN pip install --quiet --no-deps --no-build-isolation . \
    && pip uninstall --quiet --yes setuptools pip

FROM python:3.11-slim

RUN groupadd --system --gid 10001 yinzheng \
    && useradd --system --uid 10001 --gid yinzheng --no-create-home --home-dir /data yinzheng \
    && install --directory --owner yinzheng --group yinzheng --mode 0700 /data

COPY --from=builder /opt/yinzheng /opt/yinzheng

ENV PATH=/opt/yinzheng/bin:$PATH \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    YINZHENG_DATA=/data

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["yinzheng"]
CMD ["--help"]
