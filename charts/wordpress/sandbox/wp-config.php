<?php
// Reads the environment as the configuration of the official image does; the salts are made when it is copied.
function lifeboat_env($name, $default) {
	$file = getenv("{$name}_FILE");
	if ($file) return rtrim(file_get_contents($file), "\r\n");
	$value = getenv($name);
	return $value === false ? $default : $value;
}

define('DB_NAME', lifeboat_env('WORDPRESS_DB_NAME', 'wordpress'));
define('DB_USER', lifeboat_env('WORDPRESS_DB_USER', 'wordpress'));
define('DB_PASSWORD', lifeboat_env('WORDPRESS_DB_PASSWORD', ''));
define('DB_HOST', lifeboat_env('WORDPRESS_DB_HOST', 'mysql'));
define('DB_CHARSET', lifeboat_env('WORDPRESS_DB_CHARSET', 'utf8mb4'));
define('DB_COLLATE', lifeboat_env('WORDPRESS_DB_COLLATE', ''));
define('AUTH_KEY', lifeboat_env('WORDPRESS_AUTH_KEY', 'put your unique phrase here'));
define('SECURE_AUTH_KEY', lifeboat_env('WORDPRESS_SECURE_AUTH_KEY', 'put your unique phrase here'));
define('LOGGED_IN_KEY', lifeboat_env('WORDPRESS_LOGGED_IN_KEY', 'put your unique phrase here'));
define('NONCE_KEY', lifeboat_env('WORDPRESS_NONCE_KEY', 'put your unique phrase here'));
define('AUTH_SALT', lifeboat_env('WORDPRESS_AUTH_SALT', 'put your unique phrase here'));
define('SECURE_AUTH_SALT', lifeboat_env('WORDPRESS_SECURE_AUTH_SALT', 'put your unique phrase here'));
define('LOGGED_IN_SALT', lifeboat_env('WORDPRESS_LOGGED_IN_SALT', 'put your unique phrase here'));
define('NONCE_SALT', lifeboat_env('WORDPRESS_NONCE_SALT', 'put your unique phrase here'));
$table_prefix = lifeboat_env('WORDPRESS_TABLE_PREFIX', 'wp_');
define('WP_DEBUG', (bool) lifeboat_env('WORDPRESS_DEBUG', ''));
if (($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') $_SERVER['HTTPS'] = 'on';
if ($extra = lifeboat_env('WORDPRESS_CONFIG_EXTRA', '')) eval($extra);
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
