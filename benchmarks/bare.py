"""The service's ASGI application without BentoML, for uvicorn; it serves the bundle of NIGHTSHELF_HOME."""

from serving.http.routes import create_app
from serving.live.changes import Changes
from serving.live.follow import Follower
from serving.live.served import ServingState
from serving.settings import ServingSettings, read

settings = read(ServingSettings)
changes = Changes(settings)
state = ServingState(changes=changes)
app = create_app(state, settings.customer_key.get_secret_value())
changes.start()
Follower(settings, state).start()
