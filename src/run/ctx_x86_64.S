/*
 * ctx_x86_64.S - where tasks begin and end, and a return that is a jump.  The switch itself is
 * in ctx.h.
 */
    .text

/* The first instructions of a task; its argument and its function lie on its stack.  The function
   returns the struct weft__ctx of the one that continues when the task has ended.  The
   undefined return address tells unwinders that the stack ends here. */
    .globl weft__ctx_start
    .hidden weft__ctx_start
    .type weft__ctx_start, @function
    .p2align 4
weft__ctx_start:
    .cfi_startproc
    .cfi_undefined %rip
    endbr64
    xorl %ebp, %ebp
    popq %rdi
    popq %rax
    callq *%rax
    movq (%rax), %rsp
    movq 8(%rax), %rbp
    jmp *16(%rax)
    .cfi_endproc
    .size weft__ctx_start, . - weft__ctx_start

/* int weft__ctx_return(int value);
   Indirect jumps are predicted by the way that led there, as the turns that conditional branches
   took: those of the address itself are given to it. */
    .globl weft__ctx_return
    .hidden weft__ctx_return
    .type weft__ctx_return, @function
    .p2align 4
weft__ctx_return:
    .cfi_startproc
    endbr64
    movl %edi, %eax
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    testb $0x10, %cl
    jz 1f
    nop
1:  testb $0x20, %cl
    jz 2f
    nop
2:  testb $0x40, %cl
    jz 3f
    nop
3:  jmp *%rcx
    .cfi_endproc
    .size weft__ctx_return, . - weft__ctx_return

    .section .note.GNU-stack, "", @progbits
