//! Passes the authenticated user from the app's guard to the room.

use anchorhold::{Error, Request};

use super::core::MAX_FRAME;
use super::protocol::Role;
use super::standing::read_only;

/// Sets the authenticated user in a request for a chat room, and overwrites any user that the
/// request claims. Call it in a guard of the app, which runs before the upgrade.
///
/// ```
/// use anchorhold::objects::chat_room::{self, ChatRoom, Role};
/// use anchorhold::prelude::*;
///
/// # fn who_is_it(_: &Request) -> Option<(String, Role)> { None }
/// #[anchorhold::app]
/// fn app() -> App {
///     App::new()
///         .mount::<ChatRoom>("/rooms/{name}")
///         .guard(async |mut visit| {
///             if visit.class == ChatRoom::CLASS {
///                 // From a cookie, a signed token or a session object (through `visit.env`).
///                 let Some((user, role)) = who_is_it(&visit.request) else {
///                     return Err(Error::unauthorized("log in first"));
///                 };
///                 visit.request = chat_room::identified(visit.request, &user, role).await?;
///             }
///             Ok(visit)
///         })
/// }
/// # fn main() {}
/// ```
///
/// An upgrade gets the user and the role as query parameters. A message posted over HTTP gets the
/// user in its body; a reader's message is refused. All other requests only read, and pass
/// unchanged.
///
/// # Errors
/// - 403, code `read_only`: a reader posts.
/// - 413: the body is over 64 KiB.
/// - 400: the body is not a JSON object.
pub async fn identified(request: Request, user: &str, role: Role) -> Result<Request, Error> {
    // Decided by the kind of request: a path can be written in more than one way. The method comes
    // first, because a request that is not a GET is bound to its body even if it has an upgrade
    // header.
    if matches!(&*request.method(), "GET" | "HEAD") {
        if request.header("upgrade").is_none() {
            return Ok(request);
        }
        let role = match role {
            Role::Writer => "writer",
            Role::Reader => "reader",
        };
        return Ok(request
            .with_query_value("user", user)
            .with_query_value("role", role));
    }
    if role == Role::Reader {
        return Err(read_only());
    }
    with_user_in_body(request, user).await
}

async fn with_user_in_body(mut request: Request, user: &str) -> Result<Request, Error> {
    let too_large = |size: &str| {
        let message = format!("a body of {size} bytes is over the limit of {MAX_FRAME}");
        Error::new(413, "too_large", message)
    };
    if let Some(length) = request.header("content-length")
        && length
            .parse::<usize>()
            .is_ok_and(|length| length > MAX_FRAME)
    {
        return Err(too_large(&length));
    }
    let body = request.bytes().await?;
    if body.len() > MAX_FRAME {
        return Err(too_large(&body.len().to_string()));
    }
    let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&body)
        .map_err(|error| {
            Error::bad_request(
                "bad_request",
                format!("the body is not a JSON object: {error}"),
            )
        })?;
    fields.insert("user".to_owned(), user.into());
    request.with_json(&fields)
}
