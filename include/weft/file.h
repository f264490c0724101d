/*
 * weft/file.h - files, whole, by position and as a sequence of lines.
 */
#ifndef WEFT_FILE_H
#define WEFT_FILE_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_file weft_file;

WEFT_API int weft_read_file(const char *path, char **ret, size_t *ret_len);
WEFT_API int weft_write_file(const char *path, const void *data, size_t len);
WEFT_API int weft_append_file(const char *path, const void *data, size_t len);

WEFT_API int weft_file_open(const char *path, const char *mode, weft_file **ret);
WEFT_API int64_t weft_file_read(weft_file *file, void *data, size_t len);
WEFT_API int64_t weft_file_read_line(weft_file *file, char **ret);
WEFT_API int weft_file_write(weft_file *file, const void *data, size_t len);
WEFT_API int weft_file_flush(weft_file *file);
WEFT_API int64_t weft_file_read_at(weft_file *file, void *data, size_t len, int64_t offset);
WEFT_API int weft_file_write_at(weft_file *file, const void *data, size_t len, int64_t offset);
WEFT_API int64_t weft_file_seek(weft_file *file, int64_t offset, int whence);
WEFT_API int64_t weft_file_tell(weft_file *file);
WEFT_API int64_t weft_file_size(weft_file *file);
WEFT_API int weft_file_truncate(weft_file *file, int64_t size);
WEFT_API int weft_file_sync(weft_file *file);
WEFT_API int weft_file_close(weft_file *file);

WEFT_API int weft_mkdir(const char *path, unsigned mode, bool parents);
WEFT_API int weft_rename(const char *from, const char *to);
WEFT_API int weft_remove(const char *path);

#ifdef __cplusplus
}
#endif
#endif
