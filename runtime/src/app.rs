//! The app: its object classes, and the paths that are routed to them.

pub(crate) mod dispatch;
pub(crate) mod sharding;

use std::future::Future;
use std::rc::Rc;

use crate::engine::table::Description;
use crate::error::Error;
use crate::http::{Request, Response, origin, path};
use crate::object::DurableObject;
use crate::object::context::Env;
use crate::turn::LocalFuture;

/// The objects of a deployment and the paths that are routed to them. It is the entry point of the
/// Worker on Cloudflare and of the server on the embedded host.
///
/// ```
/// # use anchorhold::prelude::*;
/// # fn example<Counter: DurableObject, ChatRoom: DurableObject>() -> App {
/// App::new()
///     .mount::<Counter>("/counters/{name}")
///     .mount::<ChatRoom>("/rooms/{name}")
///     .get("/healthz", async |_, _| Ok(Response::text(200, "ok")))
///     .assets("public")
/// # }
/// ```
#[derive(Default)]
pub struct App {
    pub(crate) objects: Vec<&'static Description>,
    mounts: Vec<Mount>,
    routes: Vec<AppRoute>,
    pub(crate) guards: Vec<Guard>,
    allowed_origins: Vec<String>,
    pub(crate) assets: Option<&'static str>,
    mistakes: Vec<String>,
}

struct Mount {
    pattern: &'static str,
    description: &'static Description,
    by: Address,
}

/// How the parameter at the end of a mount selects the object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    Name,
    Id,
    /// One of this many objects. The parameter stays in the object's own path.
    Shard(u32),
}

struct AppRoute {
    method: &'static str,
    pattern: &'static str,
    handler: AppHandler,
}

type AppHandler = Rc<dyn Fn(Request, Env) -> LocalFuture<'static, Result<Response, Error>>>;

type Guard = Rc<dyn Fn(Visit) -> LocalFuture<'static, Result<Visit, Error>>>;

/// A request to an object, before it reaches the object; see [`App::guard`].
pub struct Visit {
    /// The class of the object.
    pub class: &'static str,
    /// The object's name as the path gave it. For a mount by `{id}` it is the identifier, for a
    /// sharded mount the key. A guard may replace it, for example with a derived key or the name of
    /// the authenticated user.
    pub name: String,
    /// The request. Its body can be read once: by a guard or by the object.
    pub request: Request,
    /// Bindings and variables, for example to call an object that holds sessions.
    pub env: Env,
}

impl App {
    /// Creates an app without objects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Routes a path and everything below it to the objects of a class.
    ///
    /// The pattern ends with the parameter that selects the object. `{id}` takes an identifier as
    /// [`ObjectId`](crate::ObjectId) prints it; anything else is 404. Every other parameter takes a
    /// name of up to 1,024 bytes; a longer one is 400.
    #[must_use]
    pub fn mount<T: DurableObject>(self, pattern: &'static str) -> Self {
        let by = match last_parameter(pattern) {
            Some("id") => Address::Id,
            _ => Address::Name,
        };
        self.mount_by::<T>("mount", pattern, by)
    }

    /// Routes a path and everything below it to a fixed number of objects of a class. For example,
    /// `"/limits/{key}"` over 16 objects: each object holds many keys.
    ///
    /// The last parameter is the key. It selects the object (see
    /// [`shard_name`](crate::shard_name)) and stays part of the object's own path, where the
    /// object's routes bind it. For example, `/limits/ann/check` is `/ann/check` to the object and
    /// reaches its `#[post("/{key}/check")]`.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// /// Counts how often each word was said.
    /// #[durable_object]
    /// struct Words {
    ///     counts: StoredMap<String, u64>,
    /// }
    ///
    /// #[durable_object]
    /// impl Words {
    ///     #[post("/{word}")]
    ///     fn say(&mut self, word: String) -> Result<u64, StorageError> {
    ///         let count = self.counts.get(&word)?.unwrap_or(0) + 1;
    ///         self.counts.insert(&word, &count)?;
    ///         Ok(count)
    ///     }
    /// }
    ///
    /// # fn app() -> App {
    /// App::new().mount_sharded::<Words>("/words/{word}", 16)
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// A [guard](Self::guard) sees the key as the visit's name. If it replaces the name, the object
    /// sees the new one. The object must limit the length of a key itself.
    #[must_use]
    pub fn mount_sharded<T: DurableObject>(mut self, pattern: &'static str, shards: u32) -> Self {
        if shards == 0 {
            self.mistakes.push(format!(
                "mount_sharded::<{}>({pattern:?}, 0): there must be at least one object",
                T::CLASS
            ));
        }
        self.mount_by::<T>("mount_sharded", pattern, Address::Shard(shards))
    }

    fn mount_by<T: DurableObject>(
        mut self,
        method: &str,
        pattern: &'static str,
        by: Address,
    ) -> Self {
        let parameters = pattern
            .split('/')
            .filter(|segment| path::parameter(segment).is_some())
            .count();
        if last_parameter(pattern).is_some() && parameters == 1 && pattern.starts_with('/') {
            self = self.object::<T>();
            if let Some(first) = self
                .mounts
                .iter()
                .find(|mount| path::have_one_shape(mount.pattern, pattern))
            {
                self.mistakes.push(format!(
                    "{method}::<{}>({pattern:?}): its paths already lead to {}, by {:?}",
                    T::CLASS,
                    first.description.class.name,
                    first.pattern
                ));
            }
            self.mounts.push(Mount {
                pattern,
                description: T::__description(),
                by,
            });
        } else {
            self.mistakes.push(format!(
                "{method}::<{}>({pattern:?}): the pattern must begin with `/` and end with its only parameter, for example \"/things/{{name}}\"",
                T::CLASS
            ));
        }
        self
    }

    /// Adds a class without a path. Only other objects and the app's own handlers can call it.
    #[must_use]
    pub fn object<T: DurableObject>(mut self) -> Self {
        let description = T::__description();
        if !self
            .objects
            .iter()
            .any(|known| std::ptr::eq(*known, description))
        {
            // The symbols of exported classes are in lower case.
            let known = self.objects.iter().find(|known| {
                known
                    .class
                    .name
                    .eq_ignore_ascii_case(description.class.name)
            });
            if let Some(known) = known {
                let what = if known.class.name == description.class.name {
                    format!("two classes are called `{}`", description.class.name)
                } else {
                    format!(
                        "the names of the classes `{}` and `{}` differ only in case",
                        known.class.name, description.class.name
                    )
                };
                self.mistakes.push(format!(
                    "{what}; give one another name with `#[durable_object(class = \"…\")]` on its impl block"
                ));
            }
            self.mistakes.extend(description.mistakes());
            self.objects.push(description);
        }
        self
    }

    /// Handles GET requests of a path with a function. [`Request::path_value`] reads the
    /// `{parameters}` of the path.
    #[must_use]
    pub fn get<F, R>(self, pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        self.route("GET", pattern, handler)
    }

    /// Handles POST requests of a path with a function. [`Request::path_value`] reads the
    /// `{parameters}` of the path.
    #[must_use]
    pub fn post<F, R>(self, pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        self.route("POST", pattern, handler)
    }

    /// Handles DELETE requests of a path with a function. [`Request::path_value`] reads the
    /// `{parameters}` of the path.
    #[must_use]
    pub fn delete<F, R>(self, pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        self.route("DELETE", pattern, handler)
    }

    fn route<F, R>(mut self, method: &'static str, pattern: &'static str, handler: F) -> Self
    where
        F: Fn(Request, Env) -> R + 'static,
        R: Future<Output = Result<Response, Error>> + 'static,
    {
        if self
            .routes
            .iter()
            .any(|route| route.method == method && path::have_one_shape(route.pattern, pattern))
        {
            self.mistakes.push(format!(
                "two handlers answer {method} {pattern:?}: the second is never reached"
            ));
        }
        let handler = Rc::new(move |request, env| -> LocalFuture<'static, _> {
            Box::pin(handler(request, env))
        });
        self.routes.push(AppRoute {
            method,
            pattern,
            handler,
        });
        self
    }

    /// Adds a guard: a function that runs before a request reaches an object by its path. A guard
    /// can refuse the request (authentication) or change the name (content-based keys). RPC from
    /// other objects does not pass through guards.
    ///
    /// Guards run in the order in which they were added. Each one gets the visit that the previous
    /// one returned. The first one that refuses ends the request.
    #[must_use]
    pub fn guard<F, R>(mut self, guard: F) -> Self
    where
        F: Fn(Visit) -> R + 'static,
        R: Future<Output = Result<Visit, Error>> + 'static,
    {
        self.guards
            .push(Rc::new(move |visit| Box::pin(guard(visit))));
        self
    }

    /// Allows pages of this origin (such as `"https://example.com"`) to open sockets.
    ///
    /// Without it only pages of the app's own host may open them: a browser sends cookies with
    /// every upgrade, and CORS does not protect sockets. Clients that send no `Origin` are not
    /// browsers and are always allowed.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        let origin = origin.into();
        if !origin::is_origin(&origin) {
            self.mistakes.push(format!(
                "{origin:?} is not an origin: write \"https://example.com\", or \"https://example.com:8443\" where the port is not the scheme's own, without a path"
            ));
        }
        self.allowed_origins.push(origin);
        self
    }

    /// Serves the files of a folder for paths that match no route. `/` is `index.html`.
    ///
    /// On the embedded host the folder is relative to the package under `cargo run`, otherwise to
    /// the working directory. On Cloudflare it is `assets.directory` of the Wrangler configuration.
    #[must_use]
    pub fn assets(mut self, folder: &'static str) -> Self {
        if let Some(first) = self.assets.replace(folder) {
            self.mistakes.push(format!(
                "an app can have only one folder of assets; given {first:?} and {folder:?}"
            ));
        }
        self
    }

    /// Mistakes in the app's definition. They are reported at the start instead of at a request.
    pub(crate) fn mistakes(&self) -> &[String] {
        &self.mistakes
    }
}

fn last_parameter(pattern: &str) -> Option<&str> {
    pattern.rsplit('/').next().and_then(path::parameter)
}

/// The return type of a function with `#[anchorhold::app]`.
#[diagnostic::on_unimplemented(
    message = "the app function must return `App`",
    label = "is not an `App`",
    note = "write `fn app() -> App`"
)]
#[allow(missing_docs, reason = "the vocabulary of generated code")]
pub trait IsApp {}

impl IsApp for App {}

#[allow(missing_docs, reason = "the vocabulary of generated code")]
pub const fn assert_app<T: IsApp>() {}
