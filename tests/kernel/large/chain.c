/* Calls whose stack is known to the last frame, without libc: ``chain N`` goes N calls down, says so, and stays there. */
typedef unsigned long word;

static void say(void)
{
	char end = '\n';
	word result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(1), "D"(1), "S"(&end), "d"(1) : "rcx", "r11", "memory");
}

#define FUNCTION __attribute__((noinline))

FUNCTION void plain(word left);

FUNCTION void stay(void)
{
	say();
	for (;;)
		__asm__ volatile("pause");
}

static void deeper(void (*next)(word), word left)
{
	if (left)
		next(left - 1);
	else
		stay();
	__asm__ volatile("" ::: "memory");
}

/* Its frame is of no fixed size, and is found by rbp. */
FUNCTION void varied(word left)
{
	volatile char *room = __builtin_alloca(16 + left % 7 * 16);

	room[0] = 1;
	deeper(plain, left);
	room[1] = 1;
}

/* Its frame begins at a multiple of 256 bytes. */
FUNCTION void aligned(word left)
{
	volatile _Alignas(256) char room[256];

	room[0] = 1;
	deeper(varied, left);
	room[1] = 1;
}

/* It keeps registers, rbp among them as any other. */
FUNCTION void kept(word left)
{
	word a = left, b = left * 3, c = left * 5, d = left * 7, e = left * 11, f = left * 13;

	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
	deeper(aligned, left);
	__asm__ volatile("" ::"r"(a), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f));
}

FUNCTION void plain(word left)
{
	deeper(kept, left);
}

FUNCTION void begin(word *stack)
{
	word depth = 0;

	for (char *digit = (char *)stack[2]; *digit; digit++)
		depth = depth * 10 + *digit - '0';
	plain(depth);
}

__asm__(".globl _start\n"
	".type _start, @function\n"
	"_start:\n"
	".cfi_startproc\n"
	".cfi_undefined rip\n"
	"mov %rsp, %rdi\n"
	"and $-16, %rsp\n"
	"call begin\n"
	"hlt\n"
	".cfi_endproc\n"
	".size _start, . - _start\n");
