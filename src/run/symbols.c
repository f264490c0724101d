/*
 * symbols.c - names of functions, the static ones of programs above all.
 *
 * The dynamic linker knows only what is exported, and most functions of a program are not.  So
 * the symbol table is looked up in the file that was loaded, mapped for as long as a report takes.
 */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/debug_int.h"

enum { MODULES = 16, CACHE = 256 };

struct module {
    const struct link_map *map;
    const char *data; /* the file; NULL: cannot be read */
    size_t size;
    const ElfW(Sym) * symbols;
    size_t n_symbols;
    const char *strings;
    size_t strings_size;
};

/* Only while weft__report_lock is held. */
static struct module modules[MODULES];
static size_t n_modules;
static struct {
    uintptr_t pc;
    struct weft__symbol symbol;
} cache[CACHE];

static bool section_fits(const struct module *module, const ElfW(Shdr) * section)
{
    return section->sh_offset <= module->size &&
           section->sh_size <= module->size - section->sh_offset;
}

/* A file is believed only as far as its own size. */
static void find_tables(struct module *module)
{
    const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)(const void *)module->data;
    if (module->size < sizeof *head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_shentsize != sizeof(ElfW(Shdr)) || head->e_shoff % sizeof(void *) != 0 ||
        head->e_shoff > module->size ||
        head->e_shnum > (module->size - head->e_shoff) / sizeof(ElfW(Shdr)))
        return;
    const ElfW(Shdr) *sections = (const ElfW(Shdr) *)(const void *)(module->data + head->e_shoff);
    for (size_t i = 0; i < head->e_shnum; i++) {
        const ElfW(Shdr) *section = &sections[i];
        if (section->sh_type != SHT_SYMTAB || section->sh_link >= head->e_shnum)
            continue;
        const ElfW(Shdr) *strings = &sections[section->sh_link];
        if (!section_fits(module, section) || !section_fits(module, strings) ||
            section->sh_offset % sizeof(void *) != 0 || strings->sh_size == 0 ||
            module->data[strings->sh_offset + strings->sh_size - 1] != '\0')
            continue;
        module->symbols = (const ElfW(Sym) *)(const void *)(module->data + section->sh_offset);
        module->n_symbols = section->sh_size / sizeof(ElfW(Sym));
        module->strings = module->data + strings->sh_offset;
        module->strings_size = strings->sh_size;
        return;
    }
}

static void map_file(struct module *module, const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data != MAP_FAILED) {
            module->data = data;
            module->size = (size_t)status.st_size;
            find_tables(module);
        }
    }
    close(fd);
}

static struct module *module_of(const struct link_map *map)
{
    for (size_t i = 0; i < n_modules; i++) {
        if (modules[i].map == map)
            return &modules[i];
    }
    if (n_modules == MODULES)
        return NULL;
    struct module *module = &modules[n_modules++];
    *module = (struct module){.map = map};
    /* The program itself has no name there. */
    map_file(module, map->l_name[0] != '\0' ? map->l_name : "/proc/self/exe");
    return module;
}

static void look_up(const struct module *module, struct weft__symbol *ret)
{
    for (size_t i = 0; i < module->n_symbols; i++) {
        const ElfW(Sym) *symbol = &module->symbols[i];
        if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF ||
            ret->address < symbol->st_value || ret->address - symbol->st_value >= symbol->st_size ||
            symbol->st_name >= module->strings_size)
            continue;
        ret->name = module->strings + symbol->st_name;
        ret->offset = ret->address - symbol->st_value;
        return;
    }
}

static void find(uintptr_t pc, struct weft__symbol *ret)
{
    static const char here;
    Dl_info info;
    Dl_info own;
    struct link_map *map = NULL;
    void *extra = NULL;
    *ret = (struct weft__symbol){.module = "?", .address = pc};
    if (dladdr1((void *)pc, &info, &extra, RTLD_DL_LINKMAP) == 0 || extra == NULL)
        return;
    map = extra;
    const char *slash = strrchr(info.dli_fname, '/');
    ret->module = slash != NULL ? slash + 1 : info.dli_fname;
    ret->address = pc - map->l_addr;
    ret->ours = dladdr(&here, &own) != 0 && own.dli_fbase == info.dli_fbase;
    const struct module *module = module_of(map);
    if (module != NULL)
        look_up(module, ret);
    if (ret->name == NULL && info.dli_sname != NULL) {
        ret->name = info.dli_sname;
        ret->offset = pc - (uintptr_t)info.dli_saddr;
    }
}

void weft__symbol_find(const void *pc, struct weft__symbol *ret)
{
    /* A return address may lie behind the last instruction of its function. */
    uintptr_t at = (uintptr_t)pc - 1;
    size_t slot = (at ^ at >> 8) % CACHE;
    if (cache[slot].pc != at) {
        find(at, &cache[slot].symbol);
        cache[slot].pc = at;
    }
    *ret = cache[slot].symbol;
}

void weft__symbols_done(void)
{
    for (size_t i = 0; i < n_modules; i++) {
        if (modules[i].data != NULL)
            munmap((void *)(uintptr_t)modules[i].data, modules[i].size);
    }
    n_modules = 0;
    for (size_t i = 0; i < CACHE; i++)
        cache[i].pc = 0;
}
