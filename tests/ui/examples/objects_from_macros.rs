//! A `macro_rules` macro wraps its fragments in invisible groups.
#![deny(warnings)]

use anchorhold::prelude::*;

macro_rules! object {
    ($object:ident, $field:ident: $stored:ty, $name:ident, $context:ty, $argument:ty, $result:ty, $path:literal, $by:expr) => {
        #[durable_object]
        pub struct $object {
            #[stored(default = $by)]
            $field: $stored,
        }

        #[durable_object]
        impl $object {
            #[rpc]
            #[get($path)]
            fn $name(&self, ctx: $context, text: $argument) -> $result {
                let _ = (ctx, text);
                Ok(self.$field)
            }
        }
    };
}

object!(Counter, value: i64, read, &Ctx, &str, Result<i64, Error>, "/read", 5);

pub async fn caller(env: &Env) -> Result<i64, CallError<Error>> {
    env.objects::<Counter>().named("a").read("x").await
}

fn main() {}
