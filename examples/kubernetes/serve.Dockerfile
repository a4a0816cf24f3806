# Serves an export: `docker build -f examples/kubernetes/serve.Dockerfile --build-arg MODEL=faces -t faces-server .` at the root of the
# repository, where bin/export wrote saved_models/faces; then `docker run -p 127.0.0.1:8500:8500 -p 127.0.0.1:8501:8501 faces-server`.
ARG SERVING=2.19.1
FROM tensorflow/serving:${SERVING}
ARG MODEL=drawn
ENV MODEL_NAME=${MODEL}
COPY saved_models/${MODEL} /models/${MODEL}
# Where the options below find it, whatever the model is called.
COPY saved_models/${MODEL}/batching.config /models/batching.config
USER 1000
CMD ["--enable_batching", "--batching_parameters_file=/models/batching.config"]
