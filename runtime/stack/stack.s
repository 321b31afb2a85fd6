# The source of `stack.o`, which `build.rs` links on wasm32: Rust cannot name the stack pointer there,
# and assembly in Rust is not stable for WebAssembly. To make it anew:
#
#     llvm-mc --arch=wasm32 --filetype=obj -o stack.o stack.s

.globaltype __stack_pointer, i32

.globl anchorhold_stack
.type anchorhold_stack,@function
anchorhold_stack:
    .functype anchorhold_stack () -> (i32)
    global.get __stack_pointer
    end_function

.globl anchorhold_set_stack
.type anchorhold_set_stack,@function
anchorhold_set_stack:
    .functype anchorhold_set_stack (i32) -> ()
    local.get 0
    global.set __stack_pointer
    end_function
