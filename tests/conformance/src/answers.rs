//! Answers of every status, answers from outside, and variables of the configuration.

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// The result of a request to the outside world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fetched {
    Answered { status: u16, bytes: usize },
    Failed { kind: String, message: String },
}

impl Fetched {
    fn of(answer: Result<Response, CallError>) -> Self {
        match answer {
            Ok(response) => Self::Answered {
                status: response.status(),
                bytes: response.body().map_or(0, <[u8]>::len),
            },
            Err(error) => Self::Failed {
                kind: crate::rpc::kind(&error).to_owned(),
                message: error.to_string(),
            },
        }
    }
}

/// An error of the user's own, with any status.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Odd(u16);

impl std::fmt::Display for Odd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "an error of status {}", self.0)
    }
}

impl ObjectError for Odd {
    fn status(&self) -> u16 {
        self.0
    }
    fn code(&self) -> std::borrow::Cow<'_, str> {
        "odd".into()
    }
}

/// Answers as instructed.
#[durable_object]
pub struct AnswerProbe {}

#[durable_object]
impl AnswerProbe {
    #[rpc]
    #[get("/error")]
    fn error(&self, status: u16) -> Result<(), Error> {
        Err(Error::new(status, "odd", "as told"))
    }

    #[get("/own-error")]
    fn own_error(&self, status: u16) -> Result<(), Odd> {
        Err(Odd(status))
    }

    #[get("/response")]
    fn response(&self, status: u16) -> Response {
        Response::text(status, "a body")
    }

    #[get("/relayed-error")]
    async fn relayed_error(&self, ctx: &Ctx, status: u16) -> Result<(), Error> {
        ctx.objects::<Self>().named("other").error(status).await?;
        Ok(())
    }

    #[get("/fetch")]
    async fn fetch(&self, ctx: &Ctx, url: &str) -> Fetched {
        Fetched::of(ctx.fetch(Request::new("GET", url)).await)
    }

    /// Reports how a caller disconnected, if one did.
    #[post("/wait")]
    async fn wait(&self, ctx: &Ctx, said: String) -> Result<String, StorageError> {
        ctx.storage().put("waiting", &said)?;
        ctx.caller_gone().await;
        ctx.storage().put("gone", &said)?;
        Ok(said)
    }

    #[get("/waiting")]
    fn waiting(&self, ctx: &Ctx) -> Result<Option<String>, StorageError> {
        ctx.storage().get("waiting")
    }

    #[get("/gone")]
    fn gone(&self, ctx: &Ctx) -> Result<Option<String>, StorageError> {
        ctx.storage().get("gone")
    }

    #[get("/variable")]
    fn variable(&self, ctx: &Ctx, name: &str) -> Option<String> {
        ctx.env().var(name)
    }

    #[get("/path")]
    fn root(&self) -> String {
        "path".to_owned()
    }

    #[get("/path/below")]
    fn below(&self) -> String {
        "below".to_owned()
    }

    #[get("/below")]
    fn short(&self) -> String {
        "short".to_owned()
    }
}

/// An app's own error.
pub(crate) async fn app_error(request: Request, _: Env) -> Result<Response, Error> {
    let status = request.query_value("status").unwrap_or_default();
    Err(Error::new(status.parse().unwrap_or(400), "odd", "as told"))
}

/// An app's own response.
pub(crate) async fn app_response(request: Request, _: Env) -> Result<Response, Error> {
    let status = request.query_value("status").unwrap_or_default();
    Ok(Response::text(status.parse().unwrap_or(400), "a body"))
}

/// Returns an object's response to a request whose body was replaced on the way.
pub(crate) async fn app_wait(mut request: Request, env: Env) -> Result<Response, Error> {
    #[derive(Serialize, Deserialize)]
    struct Said {
        said: String,
    }
    let Said { said } = request.json().await?;
    let request = request.with_json(&Said { said: said.clone() })?;
    Ok(env
        .objects::<AnswerProbe>()
        .named(&said)
        .fetch(request)
        .await?)
}

/// A variable of the configuration.
pub(crate) async fn app_variable(request: Request, env: Env) -> Result<Response, Error> {
    let name = request.query_value("name").unwrap_or_default();
    Response::json(200, &env.var(&name))
}

/// The paths of ids in a jurisdiction.
pub(crate) async fn jurisdiction(request: Request, env: Env) -> Result<Response, Error> {
    let objects = env.objects::<crate::IdProbe>().jurisdiction("eu");
    let way = request.query_value("way").unwrap_or_default();
    let hex = request.query_value("hex").unwrap_or_default();
    let stub = match way.as_str() {
        "unique" => objects.unique(),
        "parsed" => match objects.parse_id(&hex) {
            Ok(id) => objects.id(&id),
            Err(error) => return Response::json(200, &Err::<String, _>(error.to_string())),
        },
        "plain-id" => match env.objects::<crate::IdProbe>().parse_id(&hex) {
            Ok(id) => objects.id(&id),
            Err(error) => return Response::json(200, &Err::<String, _>(error.to_string())),
        },
        _ => objects.named("anyone"),
    };
    let reached = match stub.identity().await {
        Ok(identity) => Ok((identity.id, stub.id()?.to_string())),
        Err(error) => Err(error.to_string()),
    };
    Response::json(200, &reached)
}

/// Accepts sockets, and reports nothing about their ends.
#[durable_object]
pub struct Deaf {}

#[durable_object]
impl Deaf {
    #[websocket("/ws")]
    fn connect(&self) -> Accept<()> {
        Accept::new(())
    }

    #[message]
    fn hear(&mut self, _message: String) {}
}
