"""The service's own application over the bundle of a home, for uvicorn to serve without BentoML around it."""

from serving.http.routes import create_app
from serving.live.changes import Changes
from serving.live.follow import Follower
from serving.live.served import ServingState
from serving.settings import ServingSettings, read

settings = read(ServingSettings)
changes = Changes(settings)
live = ServingState(changes=changes)
app = create_app(live, settings.customer_key.get_secret_value())
changes.start()
Follower(settings, live).start()
