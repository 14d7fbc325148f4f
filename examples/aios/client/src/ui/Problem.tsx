import { StyleSheet, Text } from 'react-native';

import { usePalette } from './theme';

/** What went wrong, read aloud by screen readers when it appears. Nothing when nothing did. */
export function Problem({ message }: { message: string | null }) {
  const palette = usePalette();
  if (!message) return null;
  return (
    <Text
      accessibilityLiveRegion="polite"
      role="alert"
      style={[styles.text, { color: palette.danger }]}
      testID="problem"
    >
      {message}
    </Text>
  );
}

const styles = StyleSheet.create({ text: { fontSize: 15, lineHeight: 21 } });
