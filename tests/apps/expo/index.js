import { registerRootComponent } from 'expo';
import { Image, Text, View } from 'react-native';

import icon from './icon.png';

/** The smallest client that has all that an export is made of: code, an asset and a public variable. */
function Pocket() {
  return (
    <View>
      <Image source={icon} />
      <Text>{`Pocket of ${process.env.EXPO_PUBLIC_DOMAIN}`}</Text>
    </View>
  );
}

registerRootComponent(Pocket);
