//! Snapshots of expansions. Every snapshot shows its input first.

use proc_macro2::TokenStream;
use quote::quote;

use crate::diag::Failure;
use crate::driver;

fn snapshot(arguments: &TokenStream, input: &TokenStream, expand: Expand) -> String {
    let output = expand(arguments.clone(), input.clone()).unwrap_or_else(Failure::into_tokens);
    format!(
        "// input: arguments `{arguments}`\n{}\n// output\n{}",
        pretty(input.clone()),
        pretty(output),
    )
}

type Expand = fn(TokenStream, TokenStream) -> Result<TokenStream, Failure>;

fn pretty(tokens: TokenStream) -> String {
    let file = syn::parse2(tokens).expect("the expansion is a list of items");
    prettyplease::unparse(&file)
}

macro_rules! snapshots {
    ($($name:ident: $expand:path, ($($arguments:tt)*) { $($item:tt)* })*) => {$(
        #[test]
        fn $name() {
            let expansion = snapshot(&quote!($($arguments)*), &quote!($($item)*), $expand);
            insta::with_settings!({ omit_expression => true }, {
                insta::assert_snapshot!(expansion);
            });
        }
    )*};
}

snapshots! {
    struct_with_every_kind_of_field: driver::durable_object, (migrations = ["CREATE TABLE posts (text TEXT)"]) {
        /// A room.
        pub struct Room {
            posts: u64,
            #[stored(key = "t", default = String::from("a room"))]
            title: String,
            #[memory]
            reads: u64,
        }
    }

    struct_without_fields: driver::durable_object, () {
        struct Nothing;
    }

    rpc_and_routes: driver::durable_object, () {
        impl Counter {
            const LIMIT: i64 = 10;

            /// Adds to the value.
            #[rpc]
            #[post("/increment")]
            fn increment(&mut self, by: i64) -> i64 {
                self.value += by;
                self.value
            }

            #[rpc]
            #[get("/{name}/greeting")]
            async fn greeting(&self, ctx: &Ctx, name: &str) -> Result<String, Refused> {
                self.greet(ctx, name).await
            }

            #[put("/report/{day}", status = 202)]
            fn report(&mut self, day: u32, #[body] report: Report) {}

            #[patch("/raw")]
            async fn raw(&mut self, request: Request) -> io::Result<Response> {
                todo!()
            }

            async fn greet(&self, ctx: &Ctx, name: &str) -> Result<String, Refused> {
                todo!()
            }
        }
    }

    init_and_alarms: driver::durable_object, () {
        impl Counter {
            #[init]
            fn start(&mut self, ctx: &Ctx) -> Result<(), Error> {
                Ok(())
            }

            /// Reminds somebody.
            #[alarm]
            fn remind(&mut self, name: String, run: AlarmRun) {}

            #[rpc]
            #[alarm(every = "2m")]
            fn sweep(&mut self) {}

            #[alarm(cron = "0 3 * * *")]
            async fn nightly(&self) {}
        }
    }

    sockets: driver::durable_object, () {
        impl super::Room {
            #[websocket("/live/{user}")]
            fn join(&self, user: String) -> Result<Accept<Session>, Error> {
                Ok(Accept::new(Session { user }))
            }

            #[message]
            fn said(&mut self, socket: &Socket<Session>, post: Post) {}

            #[message(text)]
            fn typed(&mut self, text: &str) {}

            #[message(binary)]
            async fn drew(&self, socket: &Socket<Session>, bytes: Vec<u8>) {}

            #[close]
            #[error]
            fn gone(&mut self, socket: &Socket<Session>) {}
        }
    }

    application: driver::app, () {
        fn app() -> App {
            App::new().mount::<Counter>("/counters/{name}")
        }
    }

    test_in_the_simulator: driver::test, (seed = 7) {
        /// What it shows.
        #[should_panic]
        async fn survives_eviction(sim: Sim) -> Result<(), CallError> {
            sim.objects::<Counter>().named("a").increment(2).await.map(drop)
        }
    }

    fallback_of_a_struct: driver::durable_object, (migration = []) {
        pub struct Counter {
            value: i64,
        }
    }

    fallback_of_an_impl_block: driver::durable_object, () {
        impl Counter {
            #[rpc(name = "add")]
            fn increment(&mut self, ctx: &Ctx, by: i64) -> Result<i64, Error> {
                Ok(by)
            }

            #[alarm]
            fn remind(&mut self, (name, text): (String, String)) {}
        }
    }
}

/// A half-typed body must reach rustc and the editor unchanged.
#[test]
fn bodies_are_not_parsed() {
    let item = quote! {
        impl Counter {
            #[rpc]
            fn value(&self) -> i64 {
                self. let + ;
            }

            fn helper(&self) { also not rust }
        }
    };
    let output = driver::durable_object(TokenStream::new(), item)
        .unwrap_or_else(Failure::into_tokens)
        .to_string();
    assert!(output.contains("self . let + ;"), "{output}");
    assert!(output.contains("also not rust"), "{output}");
    assert!(!output.contains("compile_error"), "{output}");
}
