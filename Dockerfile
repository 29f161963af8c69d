# The worker and all its commands, as a user without rights: docker build -t outlay:local .
FROM python:3.11-slim AS built
WORKDIR /src
RUN python -m venv /opt/outlay
COPY constraints.txt ./
COPY pyproject.toml README.md topics.yaml ./
COPY engines engines
COPY drivers drivers
COPY streams streams
RUN /opt/outlay/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin outlay
COPY --from=built /opt/outlay /opt/outlay
ENV PATH=/opt/outlay/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER outlay
WORKDIR /tmp
EXPOSE 9464
STOPSIGNAL SIGTERM
CMD ["outlay", "worker"]
