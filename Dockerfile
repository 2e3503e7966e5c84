# A public demo: read-only, not root, torch for the CPU. See docs/deploy.md.
FROM python:3.11-slim

# Where torch's CPU builds lie; the package index itself has the much larger CUDA ones.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# requirements-cluster.txt for a cluster's image: see compose.yaml.
ARG REQUIREMENTS=requirements.txt

RUN useradd --create-home --uid 1000 app && install -d -o app /var/lib/fashion-forward
WORKDIR /srv/fashion-forward

COPY requirements.txt requirements-cluster.txt ./
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" $(grep -E '^(torch|torchvision)==' requirements.txt) \
    && pip install --no-cache-dir -r "$REQUIREMENTS"

COPY app.py ./
COPY assets assets
COPY artifacts artifacts
COPY ml ml
COPY dashboard dashboard
# Nobody writes bytecode below, so each start would compile all of this anew.
RUN python -m compileall -q app.py ml dashboard

ENV HOST=0.0.0.0 \
    PORT=7860 \
    FASHION_READ_ONLY=1 \
    FASHION_HOME=/var/lib/fashion-forward \
    OMP_WAIT_POLICY=PASSIVE \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER app
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=40s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=4)"]
CMD ["python", "app.py"]
