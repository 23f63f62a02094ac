"""One window for each data folder: a second start raises the first and leaves."""

import hashlib

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from app.core.paths import Home

ANSWER_MS = 1000


def server_name(home: Home) -> str:
    """Return the name that windows of this data folder meet under."""
    return "pronk-" + hashlib.sha256(str(home.root.resolve()).encode()).hexdigest()[:20]


def raise_first(home: Home, model: str) -> bool:
    """Ask a window that is open to come to the front, on `model` if named; False when there is none."""
    socket = QLocalSocket()
    socket.connectToServer(server_name(home))
    if not socket.waitForConnected(ANSWER_MS):
        return False
    socket.write((model + "\n").encode())
    heard = socket.waitForBytesWritten(ANSWER_MS) and socket.waitForReadyRead(ANSWER_MS)
    socket.disconnectFromServer()
    return heard


class FirstInstance(QObject):
    """Listens for later starts; `asked` carries the model one was given, or ""."""

    asked = Signal(str)

    def __init__(self, home: Home, parent: QObject | None = None) -> None:
        super().__init__(parent)
        name = server_name(home)
        QLocalServer.removeServer(name)
        self._sockets: list[QLocalSocket] = []
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connection)
        self._server.listen(name)

    def close(self) -> None:
        """Stop listening."""
        self._server.close()
        for socket in self._sockets:
            socket.abort()
        self._on_disconnected()

    def _on_connection(self) -> None:
        # Slots are methods, not closures over the socket: PySide may crash on one whose socket is gone.
        while self._server.hasPendingConnections():
            socket = self._server.nextPendingConnection()
            self._sockets.append(socket)
            socket.disconnected.connect(self._on_disconnected)
            socket.readyRead.connect(self._on_ready)
        self._on_ready()

    def _on_ready(self) -> None:
        for socket in tuple(self._sockets):
            if socket.canReadLine():
                model = bytes(socket.readLine().data()).decode(errors="replace").strip()
                socket.write(b"raised\n")
                socket.flush()
                self.asked.emit(model)

    def _on_disconnected(self) -> None:
        gone = [one for one in self._sockets if one.state() == QLocalSocket.LocalSocketState.UnconnectedState]
        for socket in gone:
            self._sockets.remove(socket)
            socket.deleteLater()
