"""The window: builds the pages, the shortcuts, and joins them; nothing else."""

from PySide6.QtCore import QEvent, QSize, Signal
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from app.actions.context import Pronk
from app.actions.load_choice import LoadChoice
from app.actions.verdicts import JudgedModel
from app.gui.chat.controller import ChatController
from app.gui.chat.page import ChatPage
from app.gui.conversations_control import ConversationsControl
from app.gui.convert.page import ConvertPage
from app.gui.engine_control import EngineControl
from app.gui.garbage import UiGarbage
from app.gui.library_control import LibraryControl
from app.gui.model_choice import ModelChoice
from app.gui.models.page import ModelsPage
from app.gui.plan.world import PlanWorld
from app.gui.ports import Ports
from app.gui.sidebar import Sidebar
from app.gui.status_bar import StatusBar
from app.gui.tasks import Tasks
from app.gui.warm_up import warm_up

SIZE_PX = (1180, 760)
SMALLEST_PX = (640, 480)
FOLD_BELOW_PX = 800
FRAME_PX = (8, 40)
"""What the window manager's frame and title may take."""


class Window(QMainWindow):
    """One window; start() lets it look up what it shows, after it has been painted."""

    painted = Signal()
    closed = Signal()

    def __init__(self, pronk: Pronk, tasks: Tasks, model: str = "", ports: Ports | None = None) -> None:
        super().__init__()
        self.setWindowTitle("Pronk")
        room = self.screen().availableGeometry().size() - QSize(*FRAME_PX)
        self.resize(within(SIZE_PX, room))
        self.setMinimumSize(within(SMALLEST_PX, room))
        self._was_painted = False
        self._is_closed = False
        self._model = model
        self.tasks = tasks
        ports = ports or Ports()
        self.engine = EngineControl(pronk, tasks, ports, self)
        self.library = LibraryControl(pronk, tasks, ports, self)
        self.sidebar = Sidebar(self)
        self.chat = ChatPage(tasks, self)
        world = PlanWorld(pronk, tasks, ports, self.library, self.engine)
        self.models = ModelsPage(world, self)
        self.convert = ConvertPage(pronk, tasks, self.library, self)
        self.status = StatusBar(self)
        self.controller = ChatController(pronk, self.chat, tasks, self.engine, self)
        self.conversations = ConversationsControl(pronk, tasks, self.sidebar, self.controller, self.chat.notice, self)
        self.choice = ModelChoice(world, self.chat, self)
        self._pages = {"chat": self.chat, "models": self.models, "convert": self.convert}
        self._stack = QStackedWidget()
        self._garbage = UiGarbage(self)
        self._build()
        self._connect()
        self._add_shortcuts()
        self.controller.new()
        self.chat.composer.setFocus()

    def start(self) -> None:
        """Open the store, list the models, find the devices, start the engine: all on pool threads."""
        if self._is_closed:
            return
        self.tasks.run(lambda _: warm_up(), done=lambda _: self._garbage.start(), owner=self)
        self.conversations.start()
        self.choice.start(self._model)
        self.status.start()

    def show_page(self, name: str) -> None:
        """Show "chat", "models" or "convert"."""
        self._stack.setCurrentWidget(self._pages[name])
        if name == "models":
            self.library.look_again()
        self.sidebar.show_page(name)
        focused = self.chat.composer if name == "chat" else self._pages[name]
        focused.setFocus()

    def open_model(self, text: str) -> None:
        """Come to the front, on that model if one is named."""
        if self._is_closed:
            return
        self.showNormal()
        self.raise_()
        self.activateWindow()
        if text:
            self.choice.use_file(text)

    def close_all(self) -> None:
        """Stop what runs, store what came, end the engine."""
        self.controller.stop_all()
        self.tasks.close()
        self.engine.close()
        self.conversations.close()
        self._garbage.stop()

    def closeEvent(self, event: QCloseEvent) -> None:
        """End with the window."""
        self.hide()
        if not self._is_closed:
            self._is_closed = True
            self.close_all()
        super().closeEvent(event)
        self.closed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell once that the window has been painted."""
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            self.painted.emit()

    def changeEvent(self, event: QEvent) -> None:
        """Look for models that were added outside when the user comes back."""
        super().changeEvent(event)
        came_back = event.type() == QEvent.Type.ActivationChange and self.isActiveWindow()
        if came_back and self._was_painted and not self._is_closed:
            self.library.look_again()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fold the sidebar away when there is little room."""
        super().resizeEvent(event)
        if event.oldSize().width() >= FOLD_BELOW_PX or event.oldSize().width() < 0 or self.sidebar.isHidden():
            self.sidebar.setVisible(self.width() >= FOLD_BELOW_PX)

    def _build(self) -> None:
        for page in self._pages.values():
            self._stack.addWidget(page)
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        right.addWidget(self._stack, 1)
        right.addWidget(self.status)
        central = QWidget()
        layout = QHBoxLayout(central)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.sidebar)
        layout.addLayout(right, 1)
        self.setCentralWidget(central)

    def _connect(self) -> None:
        self.sidebar.new_asked.connect(self._on_new)
        self.sidebar.page_asked.connect(self.show_page)
        self.sidebar.conversations.opened.connect(lambda _: self.show_page("chat"))
        self.chat.empty.add_asked.connect(self._on_add_model)
        self.chat.empty.convert_asked.connect(lambda: self.show_page("convert"))
        self.chat.header.picker.manage_asked.connect(lambda: self.show_page("models"))
        self.chat.header.picker.list_opened.connect(self.library.look_again)
        self.models.convert_asked.connect(lambda: self.show_page("convert"))
        self.models.chat_asked.connect(self._on_chat_with)
        self.models.load_asked.connect(self._on_load_with)
        self.convert.chat_asked.connect(self._on_chat_with_file)
        self.engine.changed.connect(self.status.show_state)
        self.status.sidebar_asked.connect(self._on_fold)
        self.tasks.failed.connect(self.chat.notice.show_error)

    def _add_shortcuts(self) -> None:
        for text, keys, slot in (
            (self.tr("New chat"), QKeySequence.StandardKey.New, self._on_new),
            (self.tr("Write"), QKeySequence("Ctrl+L"), lambda: self.show_page("chat")),
            (self.tr("Rename the conversation"), QKeySequence("F2"), self.sidebar.conversations.rename_current),
            (self.tr("Stop the answer"), QKeySequence("Esc"), self.chat.composer.escape),
            (self.tr("How it fits"), QKeySequence("Ctrl+D"), self.chat.header.toggle_details),
            (self.tr("Show or hide the sidebar"), QKeySequence("Ctrl+B"), self._on_fold),
            (self.tr("Quit"), QKeySequence.StandardKey.Quit, self.close),
        ):
            action = QAction(text, self)
            action.setShortcut(keys)
            action.triggered.connect(lambda _=False, slot=slot: slot())
            self.addAction(action)

    def _on_new(self) -> None:
        self.controller.new()
        self.show_page("chat")

    def _on_add_model(self) -> None:
        self.show_page("models")
        self.models.choose_file()

    def _on_chat_with(self, judged: JudgedModel, force: bool) -> None:
        self.choice.use(judged, force)
        self.show_page("chat")

    def _on_load_with(self, judged: JudgedModel, choice: LoadChoice, force: bool) -> None:
        self.choice.use_with(judged, choice, force)
        self.show_page("chat")

    def _on_chat_with_file(self, path: str) -> None:
        self.choice.use_file(path)
        self.show_page("chat")

    def _on_fold(self) -> None:
        self.sidebar.setVisible(self.sidebar.isHidden())


def within(size_px: tuple[int, int], room: QSize) -> QSize:
    """Return the size, made smaller where the screen has less room."""
    return QSize(*size_px).boundedTo(room)
