"""Installs sdgan_tf; see README.md."""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent
VERSION = re.search(r'"(.+)"', (ROOT / "sdgan_tf/version.py").read_text().split("=")[1]).group(1)

# Two stacks: the current one (TensorFlow 2.21 with Keras 3) and the last that TensorFlow Addons
# knew (2.15.1 with Keras 2.15). What lies between is not tested, and so is left out.
BETWEEN = ",".join(f"!=2.{minor}.*" for minor in range(16, 21))
# Each of its versions names the TensorFlow that it goes with, so pip finds the right one.
SERVING = f"tensorflow-serving-api>=2.15.1,<2.22,{BETWEEN}"

setuptools.setup(
    name="sdgan_tf",
    version=VERSION,
    description="SD-GAN in Keras: semantically decomposed latent spaces of GANs (arXiv 1705.07904)",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=[*setuptools.find_packages(include=["sdgan_tf", "sdgan_tf.*"]), "sdgan_tf.pretrained"],
    # Trained models lie where exports do; an installed package brings those of the repository along.
    package_dir={"sdgan_tf.pretrained": "saved_models"},
    package_data={
        "sdgan_tf.study": ["page.html"],
        "sdgan_tf.pretrained": ["drawn/*.md", "drawn/*/*", "drawn/*/variables/*"],
    },
    python_requires=">=3.9,<3.14",
    install_requires=[
        f"tensorflow>=2.15.1,<2.22,{BETWEEN}",
        "keras>=2.15,!=3.0.*,!=3.1.*,!=3.2.*,!=3.3.*,!=3.4.*,!=3.5.*,!=3.6.*,!=3.7.*,!=3.8.*,"
        "!=3.9.*,!=3.10.*,!=3.11.*",
        "numpy",
        "absl-py",
        "tensorboard>=2.15",
        "pillow",
        "scipy",
        "tqdm",
        # TensorFlow brings it by way of requests; the REST client uses it.
        "urllib3>=2.3",
    ],
    extras_require={
        "addons": [
            "tensorflow==2.15.1; python_version<'3.12'",
            "tensorflow-addons==0.23.0; python_version<'3.12'",
        ],
        "fidelity": ["torch-fidelity"],
        "serving": [SERVING],
        "demo": ["gradio>=6,<7; python_version>='3.10'"],
        "faces": ["dlib-bin>=19.24", "face_recognition_models==0.3.0"],
        "browser": ["playwright"],
        "huggingface": ["datasets>=3"],
        "beam": ["apache-beam>=2.77; python_version>='3.10'"],
        # s3fs goes with the fsspec of its own version; other stores need their own package, such as gcsfs.
        "store": ["fsspec>=2024.2", "s3fs>=2024.2"],
        # The server of S3 that the tests of stores start.
        "store-server": ["moto[s3]>=5", "flask", "flask-cors"],
        "video": ["imageio", "imageio-ffmpeg"],
        "plots": ["matplotlib"],
        "dev": ["pytest", "pytest-xdist", "ruff", SERVING],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(9, 14)),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
