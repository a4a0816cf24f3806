"""The page in a browser, by Gradio: to be imported where the extra `demo` is installed."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from sdgan_tf.data import decoding
from sdgan_tf.demo import page as pages
from sdgan_tf.demo.visitors import Guard, Limits, check_host, prune
from sdgan_tf.models import ImageModel

MAX_SEED = 2**31 - 1
TITLE = "Who and how"
INTRODUCTION = """\
# Who and how
Nobody in here exists. Every **row** is one identity, every **column** one way of taking the
image: the model learned to tell the two apart.
"""
WAYS = "Click two images: *who* changes downwards here, *how* across."
PHOTO_HELP = (
    "A photo of your own, much like those that the model learned from: its codes are searched for, and "
    "put in the first row and column. It is sent to the machine that shows this page, and deleted there "
    "soon."
)
CSS = """
.gradio-container { max-width: 1160px !important; margin: auto !important; }
/* Gradio writes into each column that it grows. */
#board, #ways, #people { flex: none !important; }
#board, #ways { --side: min(500px, 76vw); --head: 44px; gap: 6px; width: fit-content; }
#ways { width: var(--side); }
#ways p { line-height: 34px; white-space: nowrap; }
#words p { line-height: 1.4; white-space: normal; }
#rows { gap: 6px; flex-wrap: nowrap; }
#people { width: var(--head); min-width: 0 !important; height: var(--side); gap: 2px; }
#views { margin-left: calc(var(--head) + 6px); width: var(--side); gap: 2px; flex-wrap: nowrap; }
#people button, #views button { flex: 1; min-width: 0; padding: 2px; font-size: 20px; }
#grid, #between { flex: none; width: var(--side); min-height: var(--side); min-width: 0 !important; }
#grid, #between, #pair { margin: 0; border-radius: 6px; overflow: hidden; }
#grid .image-frame, #between .image-frame, #pair .image-frame { width: 100%; height: auto; }
#grid img, #between img, #pair img { width: 100%; height: auto; display: block; object-fit: fill; }
#between:has(.empty) { border: 2px dashed var(--border-color-primary); }
#grid .image-container > button, #between .image-container > button { width: 100%; }
#grid img { cursor: pointer; }
#everything { margin-left: calc(var(--head) + 6px); width: var(--side); }
"""


def launch(
    blocks: gr.Blocks,
    host: str,
    port: int | None,
    limits: Limits,
    auth: tuple[str, str] | None = None,
) -> str:
    """Starts to serve the page, until `blocks.close()`; `blocks.block_thread()` waits for Ctrl-C.

    Args:
        blocks: what `build` returned.
        host: `127.0.0.1` shows the page to this machine alone, `0.0.0.0` to all that reach it.
        port: the port to listen on; None for one that is free.
        limits: what visitors may send, and what is kept.
        auth: the name and the password that the page asks for; needed where other machines reach it.

    Returns:
        The address.

    Raises:
        ValueError: other machines reach the page, and there is no password.
    """
    check_host(host, auth)
    blocks.queue(max_size=limits.waiting, default_concurrency_limit=1)
    guard = Middleware(Guard, folder=Path(blocks.GRADIO_CACHE), limits=limits)
    # Fonts of the visitor's machine: the page asks no other server for anything.
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    _, address, _ = blocks.launch(
        server_name=host,
        server_port=port,
        auth=auth,
        max_file_size=limits.megabytes * 2**20,
        app_kwargs={"middleware": [guard]},
        prevent_thread_lock=True,
        share=False,
        ssr_mode=False,
        quiet=True,
        footer_links=[],
        theme=gr.themes.Default(primary_hue="orange", neutral_hue="stone", **fonts),
        css=CSS,
    )
    return address


def build(
    models: Mapping[str, ImageModel], folder: str | Path, limits: Limits, seed: int = 0
) -> gr.Blocks:
    """Lays the page out and says what each button does.

    Args:
        models: the models to choose from, by the name that visitors see.
        folder: where temporary files are kept: photos of visitors, and what they are shown.
        limits: what visitors may send, and what is kept.
        seed: seed of the first grid.
    """
    # Gradio has no other way to be told.
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    names = list(models)
    does = _Handlers(models, Path(folder), limits)
    # Beside `prune`, which needs somebody to be there.
    ages = (limits.seconds, limits.seconds)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=ages) as blocks:
        state = gr.State(pages.new(models[names[0]], seed))
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            name = gr.Dropdown(names, value=names[0], label="Model", elem_id="model")
            start = gr.Number(
                seed, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, elem_id="seed"
            )
            who = gr.Slider(0, 1, 1, label="Variety of people", elem_id="who")
            how = gr.Slider(0, 1, 1, label="Variety of views", elem_id="how")
        with gr.Row():
            with gr.Column(elem_id="board"):
                with gr.Row(elem_id="views"):
                    views = [_redraw_button(f"view-{i}") for i in range(pages.SIZE)]
                with gr.Row(elem_id="rows"):
                    with gr.Column(elem_id="people"):
                        people = [_redraw_button(f"person-{i}") for i in range(pages.SIZE)]
                    grid = _image("grid")
                everything = gr.Button("Everything new", elem_id="everything")
            with gr.Column(elem_id="ways"):
                gr.Markdown(WAYS)
                between = _image("between")
                upload = gr.UploadButton(
                    "Upload a photo",
                    type="binary",
                    file_types=list(decoding.EXTENSIONS),
                    elem_id="upload",
                )
                pair = _image("pair", visible=False)
                words = gr.Markdown(PHOTO_HELP, elem_id="words")

        settings, shown = [name, state, who, how], [state, grid, between]
        # Nothing of the page is an interface for programs: that is what TF Serving is for.
        quiet = {"api_visibility": "private", "show_progress": "hidden"}
        for redraw, buttons in (
            (pages.redraw_identity, people),
            (pages.redraw_observation, views),
        ):
            for index, button in enumerate(buttons):
                act = functools.partial(does.redraw, redraw, index)
                button.click(act, settings, shown, **quiet)
        grid.select(does.choose, settings, shown, **quiet)
        for slider in (who, how):
            # While it is dragged, as far as rendering keeps up.
            slider.change(does.show, settings, shown, trigger_mode="always_last", **quiet)
        for event in (start.submit, start.blur):
            event(does.reseed, [*settings, start], shown, **quiet)
        name.change(does.restart, [*settings, start], shown, **quiet)
        everything.click(does.renew, settings, [start, *shown], **quiet)
        blocks.load(does.show, settings, shown, **quiet)
        upload.upload(
            does.photo, [*settings, upload], [*shown, pair, words], api_visibility="private"
        )
    return blocks


def _redraw_button(name: str) -> gr.Button:
    return gr.Button("↻", elem_id=name, size="sm")


def _image(name: str, visible: bool = True) -> gr.Image:
    return gr.Image(
        format="png",
        show_label=False,
        container=False,
        elem_id=name,
        interactive=False,
        visible=visible,
        buttons=["download"],
    )


class _Handlers:
    """What the page's events do: from its settings to what it shows."""

    def __init__(self, models: Mapping[str, ImageModel], folder: Path, limits: Limits):
        self.models = models
        self.folder = folder
        self.limits = limits

    def show(self, name: str, page: pages.Page, who: float, how: float) -> tuple[Any, ...]:
        prune(self.folder, self.limits)
        model = self.models[name]
        return page, pages.image(model, page, who, how), pages.between(model, page, who, how)

    def redraw(self, redraw: Callable, index: int, name: str, page: pages.Page, *rest: float):
        return self.show(name, redraw(self.models[name], page, index), *rest)

    def choose(self, name: str, page: pages.Page, who: float, how: float, event: gr.SelectData):
        cell = pages.cell_at(self.models[name], *event.index)
        return self.show(name, pages.click(page, cell), who, how)

    def restart(self, name: str, page: pages.Page, who: float, how: float, seed: int | None):
        seed = page.seed if seed is None else seed
        return self.show(name, pages.new(self.models[name], seed), who, how)

    def reseed(self, name: str, page: pages.Page, who: float, how: float, seed: int | None):
        if seed in (None, page.seed):
            return self.show(name, page, who, how)
        return self.restart(name, page, who, how, seed)

    def renew(self, name: str, page: pages.Page, who: float, how: float):
        seed = (page.seed + 1) % MAX_SEED
        return seed, *self.restart(name, page, who, how, seed)

    def photo(
        self,
        name: str,
        page: pages.Page,
        who: float,
        how: float,
        contents: bytes,
        # This is how Gradio is asked to show the bar.
        progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008
    ):
        model = self.models[name]
        try:
            photo = decoding.decode(
                contents,
                model.image_size,
                model.channels,
                max_pixels=self.limits.pixels,
                path="The photo",
            )
        except decoding.BadImage as error:
            raise gr.Error(str(error), print_exception=False) from None
        page, pair, (error, random_error) = pages.with_photo(model, page, photo, verbose=True)
        words = (
            f"Error {error:.1f} of 255; the best of {pages.SEARCH.random_codes:,} random codes had "
            f"{random_error:.1f}. Now in the first row and the first column."
        )
        return *self.show(name, page, who, how), gr.Image(pair, visible=True), words
