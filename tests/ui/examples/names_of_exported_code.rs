//! Code that is exported to JavaScript is generated where the user's names cannot affect it.
#![deny(warnings)]
#![allow(dead_code, non_camel_case_types, non_upper_case_globals)]

macro_rules! constants {
    ($($name:ident)*) => {$(const $name: u64 = 0;)*};
}

constants! {
    env state request line chain body info socket message code reason clean error method arguments ctx value js
    a0 a1 arg0 arg1 ptr msg ret this me name index key len abi
}

/// An object beside types and modules with the names that exported code uses.
mod types {
    use anchorhold::prelude::*;

    macro_rules! types {
        ($($name:ident)*) => {$(
            struct $name;
        )*};
    }

    types! {
        str bool u8 u32 usize i32 String Vec Option Some None Result Ok Err Box From Into Drop Deref Clone Self_
        CounterClass ObjectClass App JsValue items
    }

    mod wasm_bindgen {}
    mod core {}
    mod std {}
    mod __private {}

    #[durable_object]
    pub struct Counter {
        value: i64,
    }

    #[durable_object]
    impl Counter {
        #[rpc]
        fn add(&mut self, by: i64, twice: ::core::primitive::bool) -> i64 {
            self.value += if twice { 2 * by } else { by };
            self.value
        }
    }
}

/// Objects with the names of the exported code.
mod objects {
    use anchorhold::prelude::*;

    #[durable_object]
    pub struct JsValue {
        value: i64,
    }

    #[durable_object]
    impl JsValue {
        #[get("/")]
        fn value(&self) -> i64 {
            self.value
        }
    }

    #[durable_object]
    pub struct TallyClass {
        value: i64,
    }

    #[durable_object(class = "Tally")]
    impl TallyClass {
        #[get("/")]
        fn value(&self) -> i64 {
            self.value
        }
    }
}

/// The module with a function's name is not the function.
mod functions {
    use anchorhold::prelude::*;

    pub async fn local(env: &Env) {
        const state: u64 = 0;

        #[durable_object]
        struct Local {
            value: u64,
        }

        #[durable_object]
        impl Local {
            #[rpc]
            fn value(&self) -> u64 {
                self.value + state
            }
        }

        let _ = env.objects::<Local>().named("a").value().await;
    }
}

/// The crate through a path that begins beside the object.
mod paths {
    pub mod framework {
        pub use ::anchorhold;
    }

    pub mod beside {
        mod own {
            pub use ::anchorhold;
        }

        #[super::framework::anchorhold::durable_object(crate = self::own::anchorhold)]
        pub struct Inner {
            value: u64,
        }

        #[super::framework::anchorhold::durable_object(crate = super::framework::anchorhold)]
        impl Inner {
            #[get("/")]
            fn value(&self) -> u64 {
                self.value
            }
        }
    }
}

#[anchorhold::app]
fn app() -> anchorhold::App {
    anchorhold::App::new()
        .mount::<types::Counter>("/counters/{name}")
        .mount::<objects::JsValue>("/values/{name}")
        .mount::<objects::TallyClass>("/tallies/{name}")
        .mount::<paths::beside::Inner>("/inner/{name}")
}

fn main() {
    let _ = app;
}
