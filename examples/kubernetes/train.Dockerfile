# Trains: `docker build -f examples/kubernetes/train.Dockerfile -t sdgan_tf .` at the root of the repository, then
# `docker run --gpus=all -v "$PWD:/data" sdgan_tf --flagfile=flags/modern.cfg --data_dir=/data/faces --run_dir=/data/runs/faces`.
FROM python:3.12-slim
WORKDIR /sdgan_tf
COPY setup.py pyproject.toml README.md ./
COPY sdgan_tf sdgan_tf
COPY saved_models saved_models
# With what TensorFlow needs of CUDA; without [and-cuda] the image is for processors, and far smaller.
RUN pip install --no-cache-dir -e . 'tensorflow[and-cuda]>=2.21,<2.22'
COPY bin bin
COPY flags flags
# Of another user than root, to whom the volume has to belong.
USER 1000
ENTRYPOINT ["bin/train"]
